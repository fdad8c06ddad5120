"""The handbook's protocol on the real data set; the full history is left to `sluice evaluate fraud`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.evaluate_fraud import evaluate
from jobs.evaluate_fraud.protocol import BOOK, test_rows, train_rows
from jobs.train_fraud import parameters

DATA = Path(__file__).parents[3] / "shared" / "data" / "fraud-handbook"
# Risk windows reach 37 days back.
HISTORY_DAYS = 40

test_rows.__test__ = False

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the fraud-handbook data set is not here")


@pytest.fixture(scope="module")
def examples():
    return evaluate.examples_of(DATA, [BOOK], history_days=HISTORY_DAYS)


def test_the_protocol_has_the_books_payments_and_frauds(examples):
    train, test = train_rows(examples, BOOK), test_rows(examples, BOOK)
    frauds = examples.frauds()
    assert (len(train), np.sum(frauds[train])) == (67_240, 598)
    assert (len(test), np.sum(frauds[test])) == (58_264, 385)


def test_our_model_beats_the_best_published_figures(examples):
    found = evaluate.run(examples, BOOK, parameters.read(evaluate.PARAMETERS), threads=1)
    for place, name in enumerate(("auc_roc", "average_precision", "card_precision_at_100")):
        assert getattr(found, name) > max(figures[place] for figures in evaluate.PUBLISHED.values())

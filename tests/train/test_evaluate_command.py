"""`sluice evaluate fraud` on a small made-up file of the handbook's shape: what it prints, and its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from infra.cli import sluice
from jobs.evaluate_fraud.evaluate import FILE, PUBLISHED
from jobs.evaluate_fraud.protocol import BOOK, FOLDS
from schemas.units import DAY_MS

PAYMENTS = 3000
CUSTOMERS = 150
FIGURES = ["auc_roc", "average_precision", "card_precision_at_100"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A folder with payments from before the first of the earlier weeks to the end of the book's test week."""
    rng = np.random.default_rng(3)
    from_ms = BOOK.earlier(FOLDS).train_from_ms - 7 * DAY_MS
    # Some days more, for the labels of the last payments.
    times_ms = np.sort(rng.integers(from_ms, BOOK.test_to_ms + 9 * DAY_MS, PAYMENTS))
    frauds = rng.random(PAYMENTS) < 0.08
    columns = {
        "TRANSACTION_ID": np.arange(PAYMENTS),
        "TX_DATETIME": pa.array(times_ms, pa.timestamp("ms")),
        "CUSTOMER_ID": rng.integers(0, CUSTOMERS, PAYMENTS),
        "TERMINAL_ID": rng.integers(0, 40, PAYMENTS),
        "TX_AMOUNT": np.round(rng.gamma(2, 20, PAYMENTS) * np.where(frauds, 8, 1) + 0.01, 2),
        "TX_FRAUD": frauds.astype(int),
    }
    folder = tmp_path_factory.mktemp("handbook")
    parquet.write_table(pa.table(columns), folder / FILE)
    return folder


def evaluated(data: Path, *words: str) -> tuple[dict[str, list[str]], list[str], dict[str, float]]:
    """The rows of the table by their names, the lines behind it, and the JSON object."""
    command = ["evaluate", "fraud", "--data", str(data), *words, "--json"]
    done = CliRunner().invoke(sluice, command, catch_exceptions=False)
    assert done.exit_code == 0
    head, *lines, found = done.stdout.splitlines()
    assert head.split() == ["AUC", "ROC", "average", "precision", "card", "precision@100"]
    rows = {line[:26].strip(): line[26:].split() for line in lines if not line.startswith("trained on")}
    return rows, [line for line in lines if line.startswith("trained on")], json.loads(found)


def test_the_books_figures_stand_above_ours_and_the_json_has_ours(data):
    rows, behind, found = evaluated(data)
    assert list(rows) == [*PUBLISHED, "Sluice"]
    for name, figures in PUBLISHED.items():
        assert rows[name] == [f"{figure:.3f}" for figure in figures]
    assert list(found) == FIGURES
    assert rows["Sluice"] == [f"{figure:.3f}" for figure in found.values()]
    assert found["auc_roc"] > 0.8
    assert 0 < found["average_precision"] <= 1
    assert 0 < found["card_precision_at_100"] < 1
    assert len(behind) == 1


def test_the_earlier_weeks_have_a_row_each_and_their_mean_is_the_json(data):
    rows, behind, found = evaluated(data, "--folds")
    assert list(rows)[-1] == "mean"
    assert len(rows) == FOLDS + 1
    assert rows["mean"] == [f"{figure:.3f}" for figure in found.values()]
    assert list(found) == FIGURES
    assert behind == []

"""The backfill is the step of the stream, and keeps what it should."""

from __future__ import annotations

import numpy as np
import pytest

from infra.generator.payments.config import Config
from infra.generator.payments.stream import events as generated
from jobs.train_fraud.backfill import backfill
from schemas.errors import InputError
from schemas.events import Decision, Label, Transaction
from schemas.units import DAY_MS
from serving.entity_cache import EntityCache
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.inflight import Payment
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline, record, vectors

WORLD = Config(seed=5, users=60, merchants=100, days=20, fraud_share=0.05, drain_labels=True)


@pytest.fixture(scope="module")
def history():
    return list(generated(WORLD))


@pytest.fixture(scope="module")
def whole(history):
    return backfill(history)


def test_the_vectors_are_those_of_the_step_over_state_that_is_packed_each_time(history, whole):
    stored: dict[str, bytes] = {}
    found = []
    for offset, event in enumerate(history):
        # A cache of one entity: each event reads its state from bytes, as a job does after a restart.
        cache = EntityCache(stored.get, 1)
        messages = Pipeline(cache, Outcomes(stored.get, 1), lambda *_: None, lambda: 0).see([record(event, offset)])
        found += [message for message in messages if isinstance(message, Payment)]
        for key, value in cache.take_writes().items():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
    assert [payment.event_id for payment in found] == whole.ids
    assert np.array_equal(vectors(found).astype(np.float32), whole.vectors)


def test_a_range_keeps_its_payments_with_the_features_of_the_whole_history(history, whole):
    since, until = WORLD.start_ms + 8 * DAY_MS, WORLD.start_ms + 12 * DAY_MS
    part = backfill(history, since_ms=since, until_ms=until)
    rows = whole.between(since, until)
    assert part.ids == [whole.ids[row] for row in rows]
    assert np.array_equal(part.vectors, whole.vectors[rows])
    # Labels that came after the range still say what its payments were.
    assert part.frauds().tolist() == whole.frauds()[rows].tolist()
    assert part.frauds().sum() > part.frauds(until).sum()


def test_the_truth_is_what_the_labels_say(history, whole):
    expected = {label.transaction_id: label.is_fraud for label in history if isinstance(label, Label)}
    assert whole.frauds().tolist() == [expected.get(event_id, False) for event_id in whole.ids]


def test_a_repeated_payment_is_one_example(history):
    payments = [event for event in history if isinstance(event, Transaction)][:500]
    doubled = [event for payment in payments for event in (payment, payment)]
    assert backfill(doubled).ids == [payment.event_id for payment in payments]
    assert backfill([*payments, *payments[:1]]).ids == [payment.event_id for payment in payments]


def _decision(number: int, **changes) -> Decision:
    fields = {
        "event_id": f"d{number}",
        "event_time_ms": 1000 + number,
        "user_id": "u",
        "merchant_id": "m",
        "amount": 5.0,
        "decision": "APPROVE",
        "score": 0.1,
        "features": [float(number)] * len(NAMES),
        "feature_set": FEATURE_SET,
    }
    return Decision(**fields | changes)


def test_recorded_decisions_are_learned_with_the_features_they_were_made_with():
    label = Label(
        event_id="l", event_time_ms=5000, user_id="u", transaction_id="d1", transaction_time_ms=1001, is_fraud=True
    )
    repeat = _decision(2, repeat=True, features=[])
    found = backfill([_decision(0), _decision(1), repeat, label])
    assert found.ids == ["d0", "d1"]
    assert found.vectors[:, 0].tolist() == [0.0, 1.0]
    assert found.frauds().tolist() == [False, True]
    assert found.frauds(4999).tolist() == [False, False]


def test_decisions_of_another_feature_set_are_refused_by_name():
    with pytest.raises(InputError, match=r"decision d1 has .* features of set 'fraud-0'"):
        backfill([_decision(0), _decision(1, feature_set="fraud-0")])

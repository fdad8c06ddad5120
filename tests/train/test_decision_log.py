"""The decision log as history, over the stores' twin: what was decided and what labels said of it."""

from __future__ import annotations

import random

import pytest
from example_builders import START_MS

from infra import decision_log
from jobs.train_fraud.backfill import backfill
from jobs.train_fraud.split import by_shares, parts
from schemas.errors import InputError
from schemas.events import Decision, Label
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.labels.words import Word, Words
from serving.stores.memory_history import MemoryHistory
from serving.stores.words import Spoken


def decision(number: int, at_ms: int = START_MS) -> Decision:
    return Decision(
        event_id=f"t{number}",
        event_time_ms=at_ms,
        user_id=f"u{number % 9}",
        merchant_id="m",
        amount=10.0,
        decision="APPROVE",
        score=0.1,
        feature_set=FEATURE_SET,
        features=[float(number)] * len(NAMES),
    )


def word(name: str, known_ms: int, *, fraud: bool) -> Word:
    return Word(name, known_ms, float(fraud), "chargeback")


def log(*decisions: Decision, said: dict[str, list[Word]] | None = None) -> MemoryHistory:
    store = MemoryHistory(180 * 24 * 3600, lambda: START_MS)
    store.write_decisions(decisions)
    for name, all_words in (said or {}).items():
        words = Words()
        for one in all_words:
            words.take(one)
        store.write_words([Spoken(name, START_MS, words)])
    return store


def test_decisions_and_what_labels_said_come_in_the_order_of_event_time():
    store = log(
        decision(2, START_MS + 2),
        decision(1, START_MS + 1),
        said={"t1": [word("a", START_MS + 5, fraud=True), word("b", START_MS + 9, fraud=False)]},
    )
    found = list(decision_log.events(store, []))
    assert [event.event_id for event in found] == ["t1", "t2", "a", "b"]
    first, second = found[2:]
    assert isinstance(first, Label)
    assert isinstance(second, Label)
    assert (first.transaction_id, first.user_id, first.transaction_time_ms) == ("t1", "u1", START_MS + 1)
    assert (first.is_fraud, second.is_fraud) == (True, False)


def test_a_label_that_the_join_has_not_taken_in_counts_and_one_that_it_has_counts_once():
    def label(name: str, transaction: str) -> Label:
        return Label(
            event_id=name,
            event_time_ms=START_MS + 7,
            user_id="u",
            transaction_id=transaction,
            transaction_time_ms=START_MS,
            is_fraud=True,
        )

    store = log(decision(1), decision(2), said={"t1": [word("a", START_MS + 7, fraud=True)]})
    found = list(decision_log.events(store, [label("a", "t1"), label("b", "t2")]))
    assert sorted(event.event_id for event in found if isinstance(event, Label)) == ["a", "b"]


def test_more_decisions_than_one_batch_are_all_read(monkeypatch):
    monkeypatch.setattr(decision_log, "BATCH_DECISIONS", 7)
    store = log(*(decision(n, START_MS + n) for n in range(50)), said={"t49": [word("a", START_MS + 99, fraud=True)]})
    found = list(decision_log.events(store, []))
    assert [event.event_id for event in found] == [*(f"t{n}" for n in range(50)), "a"]


def test_a_log_of_ninety_days_trains_with_the_delay_that_is_the_default():
    rng = random.Random(3)
    decisions = [decision(n, START_MS + round(n * 90 * DAY_MS / 3000)) for n in range(3000)]
    said = {
        one.event_id: [word(f"l{one.event_id}", one.event_time_ms + rng.randrange(20 * DAY_MS), fraud=True)]
        for one in decisions
        if rng.random() < 0.1
    }
    examples = backfill(decision_log.events(log(*decisions, said=said), []))
    split = by_shares(int(examples.times_ms.min()), int(examples.times_ms.max()), 21 * DAY_MS)
    found = parts(examples, split)
    assert len(found.train.rows) > 800
    assert found.train.frauds.sum() == pytest.approx(0.1 * len(found.train.rows), rel=0.3)


def test_a_log_that_is_shorter_than_the_delay_is_refused_by_its_span():
    with pytest.raises(InputError, match=r"it spans 7\.0 days, and labels are waited for 21: .*--delay-days"):
        by_shares(START_MS, START_MS + 7 * DAY_MS - 1, 21 * DAY_MS)

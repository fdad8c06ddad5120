"""A decision on demand is the one that the stream gives next, for any history that the stores took in."""

from __future__ import annotations

import math

import msgspec
import pytest
from builders import decisions, starting
from histories import NOON_MS, Step, histories, label_record, labelled, transaction_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs import clock_us, count, merge

from schemas.errors import EventError
from schemas.events import Decision, FeatureUpdate, Label, Transaction
from schemas.topics import DEAD_LETTERS, FEATURE_UPDATES
from schemas.units import DAY_MS
from serving.entity_cache import EntityCache
from serving.features.catalogue import NAMES
from serving.inflight import Output
from serving.on_demand import OnDemand
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline
from serving.stored_catalogue import stored_catalogue
from serving.stores.memory_online import MemoryOnline

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class NoFeed:
    """Control that never changes."""

    def take(self) -> list[object]:
        return []


class Both:
    """The stream with its store, and an endpoint that reads the store."""

    def __init__(self) -> None:
        self._control = starting()
        self.state: dict[str, bytes] = {}
        self._online = MemoryOnline(stored_catalogue(), lambda: 0)
        self._now_ms = 0
        self._endpoint = OnDemand(starting(), NoFeed(), lambda: self._now_ms, clock_us, pytest.fail)  # type: ignore[arg-type]  # it raises

    def ask(self, tx: Transaction, now_ms: int) -> Decision | None:
        """What the endpoint says at that time; None when it refuses."""
        self._now_ms = now_ms
        try:
            return self._endpoint.score(tx, self._online)
        except EventError:
            return None

    def take(self, step: Step) -> list[Output]:
        """Let the stream take the record in, and the store what the stream tells."""
        entities, outcomes = EntityCache(self.state.get, 50), Outcomes(self.state.get, 50)
        outputs = Pipeline(entities, outcomes, count, clock_us).run([step.record], self._control)
        merge(self.state, entities.take_writes())
        merge(self.state, outcomes.take_writes())
        for output in outputs:
            if output.topic == FEATURE_UPDATES.name:
                self._online.write(msgspec.json.decode(output.value, type=FeatureUpdate).entities)
        return outputs


def said(decision: Decision) -> tuple[object, ...]:
    """All of a decision that is not about where and when it was made."""
    features = [None if math.isnan(value) else value for value in decision.features]
    return (decision.decision, decision.score, decision.reasons, decision.rules, features, decision.late)


@some
@given(st.one_of(histories(), labelled()))
def test_what_is_asked_just_before_a_payment_is_what_the_stream_says_of_it(steps):
    both = Both()
    for step in steps:
        tx = step.event
        asked = both.ask(tx, step.record.arrival_ms) if isinstance(tx, Transaction) else None
        outputs = both.take(step)
        told = decisions(outputs)
        if isinstance(tx, Transaction) and told and not told[0].repeat:
            assert asked is not None
            assert said(asked) == said(told[0])
        elif isinstance(tx, Transaction) and DEAD_LETTERS.name in {output.topic for output in outputs}:
            # Only its key can be wrong, which nobody gives here, or its time.
            assert asked is None or step.record.key != tx.user_id.encode()


def test_a_fraud_told_of_a_merchant_that_nobody_paid_yet_counts_on_demand_too():
    both = Both()
    label = Label(
        event_id="l",
        event_time_ms=NOON_MS + DAY_MS,
        user_id="ann",
        transaction_id="t",
        transaction_time_ms=NOON_MS,
        merchant_id="unpaid",
        is_fraud=True,
    )
    both.take(Step(label_record(label, 0, NOON_MS + DAY_MS), label))
    later_ms = NOON_MS + 10 * DAY_MS
    tx = Transaction(event_id="e", event_time_ms=later_ms, user_id="bob", merchant_id="unpaid", amount=1.0)
    step = Step(transaction_record(tx, 1, later_ms), tx)
    asked = both.ask(tx, later_ms)
    (told,) = decisions(both.take(step))
    assert asked is not None
    assert said(asked) == said(told)
    assert told.features[NAMES.index("merchant_delayed_frauds_7d")] == 1


def test_it_reads_the_sealed_pieces_of_a_busy_merchant_too():
    both = Both()
    for number in range(1_200):
        tx = Transaction(
            event_id=f"e{number}",
            # Every seventh comes out of order.
            event_time_ms=NOON_MS + 5_000 * number - (60_000 if number % 7 == 0 else 0),
            user_id=f"u{number % 40}",
            merchant_id="busy",
            amount=1.0 + number % 90,
        )
        step = Step(transaction_record(tx, number, NOON_MS + 5_000 * number), tx)
        asked = both.ask(tx, step.record.arrival_ms) if number % 60 == 59 else None
        (told,) = decisions(both.take(step))
        assert asked is None or said(asked) == said(told)
    assert any(key.endswith("#merchant:busy") for key in both.state)

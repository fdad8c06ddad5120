"""The continuous check computes the features of a user again, and says which differ from what was used."""

from __future__ import annotations

import msgspec
import pytest

from schemas import codec
from schemas.events import Decision, Transaction
from schemas.topics import DECISIONS, TRANSACTIONS
from serving.control import Control
from serving.drift.parity import ANY, OWN, Parity
from serving.entity_cache import AllInMemory
from serving.features.catalogue import NAMES
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline, record

START_MS = 1_760_000_400_000
STEP_MS = 90_000


def payments(count, *, users=4):
    return [
        Transaction(
            event_id=f"e{n}",
            event_time_ms=START_MS + n * STEP_MS,
            user_id=f"u{n % users}",
            amount=1.0 + n % 13,
            merchant_id=f"m{n % 5}",
            lat=40.0 + n % 3,
            lon=-74.0,
        )
        for n in range(count)
    ]


def log(count, spoil=None, *, skip=0):
    """Payments and the decisions that the scoring step made of them; `spoil` changes a decision's features."""
    records = [record(payment, n) for n, payment in enumerate(payments(count))]
    served = Pipeline(AllInMemory(), Outcomes(lambda _: None, 10**6), lambda *_: None, lambda: 0)
    outputs = served.run(records, Control(lambda pointer: pytest.fail(f"no model was promoted: {pointer}")))
    made = []
    for output in outputs:
        if output.topic == DECISIONS.name:
            decision = codec.decode(Decision, output.value)
            if spoil is not None:
                decision = msgspec.structs.replace(decision, features=spoil(decision))
            at = decision.event_time_ms
            made.append(Record(DECISIONS.name, 0, len(made), at, output.key, codec.encode(decision)))
    return [*(pair for both in zip(records[skip:], made[skip:], strict=True) for pair in both)]


class Check:
    """The check over state in memory."""

    def __init__(self, state=None):
        self.state = {} if state is None else state
        self.counted = {}
        self.parity = Parity(self.state.get, 1000, self._count)

    def feed(self, records, batch=64):
        reports = []
        for start in range(0, len(records), batch):
            reports += self.parity.step(records[start : start + batch])
            self.state |= {k: v for k, v in self.parity.take_writes().items() if v is not None}
        return reports

    def _count(self, metric, value="", by=1):
        self.counted[metric.name, value] = self.counted.get((metric.name, value), 0) + by


def wrong(name):
    def spoil(decision):
        features = list(decision.features)
        if int(decision.event_id[1:]) >= 40:
            features[NAMES.index(name)] += 1
        return features

    return spoil


def test_what_was_served_right_is_compared_and_does_not_differ():
    check = Check()
    reports = check.feed(log(200))
    assert check.counted == {("parity_compared", ""): 200}
    assert {(report.name, report.value, report.level) for report in reports} == {(ANY, 0.0, "none")}


def test_a_feature_that_was_served_wrong_is_named_with_its_share():
    name = OWN[len(OWN) // 2]
    check = Check()
    reports = check.feed(log(200, wrong(name)))
    assert check.counted["parity_mismatches", name] == 160
    (last,) = (report for report in reports[-2:] if report.name == name)
    assert (last.value, last.level, last.subject) == (1.0, "significant", "skew")


def test_of_two_decisions_on_a_payment_the_first_is_compared():
    name, right = OWN[len(OWN) // 2], log(200)
    first = {r.key + r.value[:40]: r for r in log(200, wrong(name)) if r.topic == DECISIONS.name}
    check = Check()
    # In one batch decisions are read before payments, so both wait when the payment comes.
    doubled = [two for r in right for two in ((first[r.key + r.value[:40]], r) if r.topic == DECISIONS.name else (r,))]
    check.feed(doubled)
    assert check.counted["parity_mismatches", name] == 160


@pytest.mark.parametrize("name", [name for name in OWN if name.startswith("user_")])
def test_a_feature_that_is_served_wrong_from_the_first_payment_on_is_found_whichever_it_is(name):
    def spoil(decision):
        features = list(decision.features)
        features[NAMES.index(name)] += 100
        return features

    check = Check()
    reports = check.feed(log(80, spoil))
    assert check.counted["parity_compared", ""] == check.counted["parity_mismatches", name] == 80
    assert {report.level for report in reports if report.name == name} == {"significant"}


def test_a_payment_and_its_decision_may_come_in_any_order_and_in_any_cut():
    records = log(120)
    backwards = [records[place + 1 - 2 * (place % 2)] for place in range(len(records))]
    check = Check()
    check.feed(backwards, batch=7)
    assert check.counted == {("parity_compared", ""): 120}
    of_payments = [r for r in records if r.topic == TRANSACTIONS.name]
    late = Check()
    late.feed(of_payments)
    late.feed([r for r in records if r.topic == DECISIONS.name])
    assert late.counted == {("parity_compared", ""): 120}


def test_a_user_with_a_history_that_the_check_has_not_seen_is_not_compared():
    check = Check()
    check.feed(log(200, skip=40))
    assert check.counted == {}


def test_a_restored_check_goes_on():
    records = log(120)
    first = Check()
    first.feed(records[:101])
    second = Check(first.state)
    second.feed(records[101:])
    assert first.counted["parity_compared", ""] + second.counted["parity_compared", ""] == 120
    assert ("parity_mismatches", "") not in second.counted


def test_what_waits_since_another_feature_set_is_forgotten_and_stops_nothing():
    records = log(120)
    first = Check()
    first.feed([r for r in records[:100] if r.topic == TRANSACTIONS.name])
    first.feed([r for r in records[100:] if r.topic == DECISIONS.name])
    kept = msgspec.msgpack.decode(first.state["parity"])
    *head, payments, decided = kept
    assert payments
    assert decided
    payments = {event_id: values[:-8] for event_id, values in payments.items()}
    decided = {event_id: [one[0][:-1], *one[1:]] for event_id, one in decided.items()}
    first.state["parity"] = msgspec.msgpack.encode([*head, payments, decided])
    second = Check(first.state)
    second.feed([r for r in records[:100] if r.topic == DECISIONS.name])
    second.feed([r for r in records[100:] if r.topic == TRANSACTIONS.name])
    assert second.counted == {}

"""Rules, lists, thresholds and the policy: both sides of every limit, and control records that are refused."""

from __future__ import annotations

from typing import Any

import pytest
from builders import POINTER, Amounts, Desk, change, scoring, tx
from histories import NOON_MS
from hypothesis import given
from hypothesis import strategies as st
from reference import DAY, HOUR, MINUTE

from schemas.control import Audit, Blocklist, Flag, ModelPointer, Policy, Rule, Thresholds
from schemas.errors import InvalidError, SignatureError
from serving import policy
from serving.control import Control
from serving.control_feed import read_control
from serving.features.catalogue import NAMES
from serving.inflight import Record
from serving.rules.catalogue import KINDS, STARTING_RULES

VIENNA, SYDNEY, BERLIN = {"lat": 48.21, "lon": 16.37}, {"lat": -33.87, "lon": 151.21}, {"lat": 52.52, "lon": 13.40}


def with_rule(kind: str, action: str = "REVIEW", segment: str = "", **parameters: Any) -> Desk:
    return Desk(scoring(change("rule", "r", Rule(kind, action, "because", parameters, segment=segment))))  # type: ignore[arg-type]  # words of a test


@pytest.mark.parametrize(("amount", "fires"), [(99.99, False), (100.0, False), (100.01, True)])
def test_the_amount_rule_fires_strictly_above_its_limit(amount, fires):
    answer = with_rule("amount", limit=100).decide(tx(amount=amount))
    assert (answer.decision == "REVIEW") == fires
    assert [(h.rule, h.action, h.observed, h.limit) for h in answer.rules] == (
        [("r", "REVIEW", amount, 100.0)] if fires else []
    )
    assert answer.reasons == (["because"] if fires else [])


@pytest.mark.parametrize(("currency", "fires"), [("EUR", True), ("USD", False)])
def test_an_amount_rule_of_one_currency_leaves_others_alone(currency, fires):
    answer = with_rule("amount", limit=100, currency="EUR").decide(tx(amount=101, currency=currency))
    assert bool(answer.rules) == fires


@pytest.mark.parametrize(("payments", "fires"), [(2, False), (3, True)])
def test_a_feature_rule_fires_strictly_above_its_limit(payments, fires):
    desk = with_rule("feature_above", "BLOCK", feature="user_count_5min", limit=2)
    answer = desk.decide(*(tx(NOON_MS + number) for number in range(payments)))
    assert (answer.decision == "BLOCK") == fires


@pytest.mark.parametrize(
    ("place", "after_ms", "fires"),
    [
        (SYDNEY, 2 * HOUR - 1, True),
        (SYDNEY, 2 * HOUR, False),
        (BERLIN, 1, False),
        ({}, 1, False),
    ],
)
def test_impossible_travel_is_far_and_soon(place, after_ms, fires):
    answer = with_rule("impossible_travel").decide(tx(**VIENNA), tx(NOON_MS + after_ms, **place))
    assert bool(answer.rules) == fires


@pytest.mark.parametrize(
    ("minutes", "amounts", "fires"),
    [
        ((0, 2, 4), (1000.01, 2000, 3000), True),
        ((0, 2, 4), (1000.00, 2000, 3000), False),
        ((0, 2, 4), (2000, 2000, 999), False),
        ((0, 2, 5), (2000, 2000, 2000), False),
        # T6: one old payment must not hide the three that follow it.
        ((0, 50, 52, 54), (2000, 2000, 2000, 2000), True),
        ((0, 4, 8, 12), (2000, 2000, 2000, 2000), False),
        ((0, 1, 2, 3, 4), (2000, 10, 2000, 10, 2000), True),
    ],
)
def test_a_burst_is_three_high_payments_within_five_minutes(minutes, amounts, fires):
    desk = with_rule("high_value_burst", "CHALLENGE", count=3)
    answer = desk.decide(*(tx(NOON_MS + m * MINUTE, amount=float(a)) for m, a in zip(minutes, amounts, strict=True)))
    assert bool(answer.rules) == fires


@pytest.mark.parametrize(("segment", "fires"), [("vip", True), ("", False), ("other", False)])
def test_a_rule_of_a_segment_leaves_others_alone(segment, fires):
    assert bool(with_rule("amount", segment="vip", limit=1).decide(tx(segment=segment)).rules) == fires


@pytest.mark.parametrize(
    ("entity", "wanted", "other"),
    [
        ("user", {"user_id": "x"}, {"user_id": "y"}),
        ("merchant", {"merchant_id": "x"}, {"merchant_id": "y"}),
        ("device", {"device_id": "x"}, {}),
        ("card", {"card_id": "x"}, {}),
        ("ip", {"ip": "x"}, {}),
        ("country", {"merchant_country": "XX"}, {}),
    ],
)
def test_each_id_may_be_on_a_blocklist(entity, wanted, other):
    desk = Desk(scoring(change("blocklist", "bad", Blocklist(entity, ["x", "XX"]))))
    answer = desk.decide(tx(**wanted))
    assert (answer.decision, answer.reasons) == ("BLOCK", [f"blocklist_{entity}"])
    assert desk.decide(tx(**other)).decision == "APPROVE"
    desk.control.apply(change("blocklist", "bad", None))
    assert desk.decide(tx(**wanted)).decision == "APPROVE"


def test_two_blocklists_of_one_entity_add_up_and_go_one_by_one():
    desk = Desk(scoring(*(change("blocklist", name, Blocklist("user", [name])) for name in ("ann", "bob"))))
    desk.control.apply(change("blocklist", "ann", None))
    assert [desk.decide(tx(user_id=user)).decision for user in ("ann", "bob")] == ["APPROVE", "BLOCK"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_kind_is_a_starting_rule_and_can_be_told_apart(kind):
    assert kind in {rule.kind for rule in STARTING_RULES.values()}


def test_a_rule_that_blocks_beats_a_score_that_approves_and_a_mild_rule_lowers_nothing():
    assert with_rule("amount", "BLOCK", limit=1).decide(tx(amount=2.0)).decision == "BLOCK"
    answer = with_rule("amount", "REVIEW", limit=1).decide(tx(amount=950.0))
    assert (answer.decision, answer.reasons) == ("BLOCK", ["model_score", "because"])


def test_a_rule_on_trial_shows_in_the_trace_and_changes_nothing():
    answer = with_rule("amount", "APPROVE", limit=1).decide(tx())
    assert (answer.decision, answer.reasons, [h.rule for h in answer.rules]) == ("APPROVE", [], ["r"])


def test_without_a_model_rules_decide_and_the_decision_says_so():
    answer = Desk().decide(tx())
    assert (answer.decision, answer.score, answer.reasons, answer.model) == ("APPROVE", 0.0, ["no_model"], "")


@pytest.mark.parametrize(
    ("score", "decision"),
    [
        (0.0, "APPROVE"),
        (0.5, "APPROVE"),
        (0.5000001, "REVIEW"),
        (0.7, "REVIEW"),
        (0.7000001, "CHALLENGE"),
        (0.9, "CHALLENGE"),
        (0.9000001, "BLOCK"),
        (1.0, "BLOCK"),
    ],
)
def test_a_score_strictly_above_a_threshold_gets_its_decision(score, decision):
    assert policy.by_score(score, Thresholds()) == decision


def test_a_segment_may_have_thresholds_of_its_own():
    strict = Policy(Thresholds(), {"vip": Thresholds(0.1, 0.2, 0.3)})
    desk = Desk(scoring(change("policy", "policy", strict)))
    assert desk.decide(tx(amount=350.0, segment="vip")).decision == "BLOCK"
    assert desk.decide(tx(amount=350.0)).decision == "APPROVE"
    desk.control.apply(change("policy", "policy", None))
    assert desk.decide(tx(amount=350.0, segment="vip")).decision == "APPROVE"


@given(st.floats(0, 1), st.lists(st.sampled_from(["APPROVE", "REVIEW", "CHALLENGE", "BLOCK"]), max_size=4))
def test_the_decision_is_the_most_severe_that_anything_asks_for(score, actions):
    rules = [Rule("amount", action, action) for action in actions]  # type: ignore[arg-type]  # words of a test
    decision, reasons = policy.decide(score, Thresholds(), rules)
    asked = [policy.by_score(score, Thresholds()), *actions]
    assert policy.SEVERITY[decision] == max(policy.SEVERITY[one] for one in asked)
    assert bool(reasons) == (decision != "APPROVE")


BAD = [
    change("rule", "r", {"kind": "magic", "action": "BLOCK", "reason": "x"}),
    change("rule", "r", {"kind": "amount", "action": "BLOCK", "reason": "x"}),
    change("rule", "r", {"kind": "amount", "action": "BLOCK", "reason": "x", "parameters": {"limit": "many"}}),
    change("rule", "r", Rule("amount", "BLOCK", "x", {"limit": 1, "currency": 840.0})),
    change("rule", "r", {"kind": "amount", "action": "DESTROY", "reason": "x", "parameters": {"limit": 1}}),
    change("rule", "r", {"kind": "amount", "action": "BLOCK", "reason": "x", "unknown": 1}),
    change("rule", "r", Rule("feature_above", "BLOCK", "x", {"feature": "no_such", "limit": 1})),
    change("blocklist", "b", {"entity": "planet", "ids": ["x"]}),
    change("blocklist", "b", {"entity": "ip", "ids": [""]}),
    change("policy", "p", {"thresholds": {"review": 0.9, "challenge": 0.5, "block": 0.7}}),
    change("policy", "p", {"thresholds": {"review": 1.5}}),
    change("model", "champion", {"name": "fraud"}),
    change("flag", "f", {"enabled": "maybe"}),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda record: record.kind)
def test_a_bad_control_record_is_refused_by_name_and_changes_nothing(bad):
    control = scoring(
        change("rule", "r", Rule("amount", "REVIEW", "r", {"limit": 1})),
        change("blocklist", "b", Blocklist("ip", ["1.2.3.4"])),
        change("flag", "f", Flag(True)),
    )
    before = (control.rules_version, control.policy, control.model, dict(control.flags))
    with pytest.raises(InvalidError):
        control.apply(bad)
    assert (control.rules_version, control.policy, control.model, control.flags) == before
    assert [hit.rule for _, hit in control.hits(tx(), [0.0] * 500)] == ["r"]


def test_a_model_that_is_refused_leaves_the_one_before():
    def load(pointer: ModelPointer) -> Amounts:
        if pointer.version == "2":
            raise SignatureError("model fraud@2: signature.json differs from the pointer's hash")
        return Amounts()

    control = Control(load)  # type: ignore[arg-type]  # same shape
    control.apply(change("model", "champion", POINTER))
    before = control.model
    with pytest.raises(SignatureError, match="differs"):
        control.apply(change("model", "champion", ModelPointer("fraud", "2", "Production", "fraud/2", "0")))
    assert control.model is before


def test_a_model_goes_with_its_own_record_only():
    control = scoring()
    control.apply(change("model", "other", ModelPointer("fraud", "0", "Archived", "fraud/0", "0")))
    control.apply(change("model", "other", None))
    assert control.model is not None
    control.apply(change("model", "champion", ModelPointer("fraud", "1", "Archived", "fraud/1", "0")))
    assert control.model is None


def test_a_model_for_another_task_passes_the_champion_by():
    loaded = []

    def load(pointer: ModelPointer) -> Amounts:
        loaded.append(pointer.name)
        return Amounts()

    ranker = ModelPointer("ranker", "1", "Production", "ranker/1", "0", task="ranking")
    control = Control(load)  # type: ignore[arg-type]  # same shape
    control.apply(change("model", "ranker", ranker))
    assert control.model is None
    control.apply(change("model", "champion", POINTER))
    control.apply(change("model", "ranker", ranker))
    control.apply(change("model", "ranker", None))
    assert control.model is not None
    assert loaded == ["fraud"]
    # The champion's own record can not say two things.
    control.apply(change("model", "champion", ranker))
    assert control.model is None


def test_a_disabled_or_deleted_rule_does_not_fire():
    rule = Rule("amount", "REVIEW", "r", {"limit": 1})
    desk = Desk(scoring(change("rule", "r", rule)))
    for gone in (Rule("amount", "REVIEW", "r", {"limit": 1}, enabled=False), None):
        desk.control.apply(change("rule", "r", rule))
        assert desk.decide(tx()).rules
        desk.control.apply(change("rule", "r", gone))
        assert not desk.decide(tx()).rules


def test_the_rules_version_follows_the_content_and_not_the_order():
    rules = [change("rule", n, Rule("amount", "REVIEW", n, {"limit": 1})) for n in ("a", "b")]
    lists = [change("blocklist", n, Blocklist("user", [n])) for n in ("a", "b")]
    versions = {scoring(*order).rules_version for order in (rules + lists, lists[::-1] + rules[::-1])}
    assert len(versions) == 1
    assert scoring(*rules).rules_version not in versions
    assert scoring(change("policy", "p", Policy(Thresholds(0.1, 0.2, 0.3)))).rules_version != scoring().rules_version


def test_an_audit_record_and_a_flag_are_taken():
    control = scoring(change("audit", "a", Audit("promote", {"by": "me"})), change("flag", "f", Flag(True)))
    assert control.flags == {"f": True}
    control.apply(change("flag", "f", None))
    assert control.flags == {"f": False}


def test_a_tombstone_deletes_what_its_key_names_and_one_that_names_nothing_is_refused():
    desk = with_rule("amount", "BLOCK", limit=100)
    assert desk.decide(tx(amount=101)).decision == "BLOCK"
    desk.control.apply(read_control(Record("control", 0, 5, NOON_MS, b"rule/r", None)))
    assert desk.decide(tx(amount=101)).rules == []
    for key in (None, b"", b"rule/", b"nonsense/r", b"\xff"):
        with pytest.raises(InvalidError):
            read_control(Record("control", 0, 6, NOON_MS, key, None))


def feature(desk: Desk, name: str, *events: Any) -> float:
    from_decision = desk.decide(*events).features
    return from_decision[NAMES.index(name)]


@pytest.mark.parametrize(("offset_min", "hour", "night"), [(0, 12, 0), (-300, 7, 0), (-360, 6, 1), (720, 0, 1)])
def test_the_hour_is_the_users_own(offset_min, hour, night):
    """T4: never the server's."""
    for name, wanted in (("hour", hour), ("is_night", night)):
        assert feature(Desk(), name, tx(utc_offset_min=offset_min)) == wanted


def test_a_user_who_always_pays_the_same_has_no_infinite_deviation():
    """T5: the deviation of equal amounts is zero."""
    past = [tx(NOON_MS + n * DAY, amount=20.0) for n in range(5)]
    assert feature(Desk(), "user_amount_zscore", *past, tx(NOON_MS + 5 * DAY, amount=20.5)) == 0.5
    assert feature(Desk(), "user_amount_zscore", *past, tx(NOON_MS + 5 * DAY, amount=9000.0)) == 100.0


def test_a_user_without_a_past_is_compared_with_the_default():
    """FRD-13: mean 100, deviation 50."""
    assert feature(Desk(), "user_amount_zscore", tx(amount=200.0)) == 2.0

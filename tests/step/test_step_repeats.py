"""A repeated payment gets the decision it got, whatever changed since."""

from __future__ import annotations

import pytest
from builders import Desk, change, decisions, record, scoring, tx
from histories import NOON_MS, label_record

from schemas.control import Blocklist, Policy, Rule, Thresholds
from schemas.events import Label
from serving.entities import REMEMBERED_IDS

BLOCK_ALL = Rule("amount", "BLOCK", "everything", {"limit": 0})
STRICT = Policy(Thresholds(0, 0, 0))


def same(first, again):
    assert (again.decision, again.score, again.reasons) == (first.decision, first.score, first.reasons)
    assert again.repeat
    assert not first.repeat


@pytest.mark.parametrize(
    "later",
    [
        change("rule", "all", BLOCK_ALL),
        change("policy", "policy", STRICT),
        change("blocklist", "list", Blocklist("user", ["ann"])),
        change("model", "champion", None),
    ],
    ids=lambda record: record.kind,
)
@pytest.mark.parametrize("card", [None, "c1"])
def test_a_repeat_gets_the_first_decision_though_the_control_state_changed(later, card):
    desk, payment = Desk(scoring()), tx(amount=600.0, card_id=card)
    first = desk.decide(payment)
    desk.control.apply(later)
    same(first, desk.decide(payment))
    assert first.decision == "REVIEW"
    other = desk.decide(tx(amount=600.0))
    assert (other.decision, other.reasons) != (first.decision, first.reasons)


def test_a_payment_blocked_by_a_rule_stays_blocked_when_the_rule_is_gone():
    desk, payment = Desk(scoring(change("rule", "all", BLOCK_ALL))), tx()
    first = desk.decide(payment)
    desk.control.apply(change("rule", "all", None))
    same(first, desk.decide(payment))
    assert first.decision == "BLOCK"
    assert desk.decide(tx()).decision == "APPROVE"


def test_a_repeat_states_no_features_rules_or_versions():
    desk, payment = Desk(scoring(change("rule", "all", BLOCK_ALL))), tx()
    first, again = desk.decide(payment), desk.decide(payment)
    assert first.features
    assert first.rules
    assert (first.model, first.feature_set) == ("fraud@1", "fraud-1")
    assert (again.features, again.rules, again.model, again.feature_set, again.rules_version) == ([], [], "", "", "")


def test_a_repeat_in_the_same_batch_gets_the_same_decision():
    payment = tx(amount=950.0)
    first, again = decisions(Desk(scoring()).outputs(record(payment), record(payment)))
    same(first, again)


def test_a_repeat_changes_no_feature_and_no_state():
    desk, payment = Desk(), tx()
    assert {o.topic for o in desk.outputs(record(payment))} == {"decisions", "feature-updates"}
    assert [o.topic for o in desk.outputs(record(payment))] == ["decisions"]
    other = Desk()
    other.decide(payment)
    assert desk.decide(after := tx(NOON_MS + 1)).features == other.decide(after).features


@pytest.mark.parametrize(("between", "repeat"), [(REMEMBERED_IDS - 1, True), (REMEMBERED_IDS, False)])
def test_the_newest_ids_of_a_user_are_remembered(between, repeat):
    desk, payment = Desk(), tx()
    desk.decide(payment, *(tx() for _ in range(between)))
    assert desk.decide(payment).repeat == repeat


def test_two_users_of_one_card_may_use_the_same_event_id():
    desk = Desk(scoring())
    mine, theirs = tx(event_id="e", card_id="c", amount=950.0), tx(event_id="e", card_id="c", user_id="bob", amount=1.0)
    first = desk.decide(mine)
    assert desk.decide(theirs).decision == "APPROVE"
    same(first, desk.decide(mine))


def test_a_label_named_like_its_payment_is_taken():
    desk = Desk()
    paid = tx(event_id="same")
    desk.decide(paid)
    desk.outputs(fraud(paid, "same"))
    assert desk.decide(tx(NOON_MS + 8 * 86_400_000)).features == after_fraud(paid, "l1").features


def test_two_labels_of_one_payment_count_one_fraud():
    desk, paid = Desk(), tx()
    desk.decide(paid)
    desk.outputs(fraud(paid, "l1"), fraud(paid, "l2"))
    assert desk.decide(tx(NOON_MS + 8 * 86_400_000)).features == after_fraud(paid, "l1").features


def fraud(paid, event_id):
    label = Label(
        event_id=event_id,
        event_time_ms=NOON_MS + 86_400_000,
        user_id=paid.user_id,
        transaction_id=paid.event_id,
        transaction_time_ms=paid.event_time_ms,
        merchant_id=paid.merchant_id,
        is_fraud=True,
    )
    return label_record(label, 0, label.event_time_ms)


def after_fraud(paid, event_id):
    desk = Desk()
    desk.decide(paid)
    desk.outputs(fraud(paid, event_id))
    return desk.decide(tx(NOON_MS + 8 * 86_400_000))

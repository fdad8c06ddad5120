"""A repeated payment gets the decision it got, whatever changed since."""

from __future__ import annotations

import msgspec
import pytest
from builders import Desk, change, decisions, record, scoring, tx
from histories import NOON_MS, label_record
from runs import clock_us, count

from schemas.control import Blocklist, Policy, Rule, Thresholds
from schemas.events import Label
from schemas.units import DAY_MS, HOUR_MS
from serving.entities import REMEMBERED_IDS, stable_hash
from serving.entity_cache import EntityCache
from serving.inflight import Verdict
from serving.user_stage import UserStage
from serving.verdicts import REMEMBERED_FRAUDS

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
    assert (first.model, first.feature_set) == ("fraud@1", "fraud-2")
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
    assert desk.decide(tx(NOON_MS + 8 * DAY_MS)).features == after_fraud(paid, "l1").features


def test_two_labels_of_one_payment_count_one_fraud():
    desk, paid = Desk(), tx()
    desk.decide(paid)
    desk.outputs(fraud(paid, "l1"), fraud(paid, "l2"))
    assert desk.decide(tx(NOON_MS + 8 * DAY_MS)).features == after_fraud(paid, "l1").features


def test_a_label_that_takes_a_fraud_back_leaves_what_was_before_it():
    paid = tx()
    assert after(paid, fraud(paid, "l1")) != after(paid)
    assert after(paid, fraud(paid, "l1"), good(paid, hours=1)) == after(paid)


def test_a_fraud_is_taken_back_once_however_often_it_is_said_and_whoever_repeats_the_first_label():
    paid, other = tx(), tx()
    first, back = fraud(paid, "l1"), good(paid, hours=1)
    both = Desk()
    both.decide(paid, other)
    both.outputs(first, fraud(other, "l2"), back, back, first, back)
    one = Desk()
    one.decide(paid, other)
    one.outputs(fraud(other, "l2"))
    assert both.decide(probe := tx(NOON_MS + 8 * DAY_MS)).features == one.decide(probe).features


def test_a_payment_may_be_fraud_after_all():
    paid = tx()
    again = fraud(paid, "l3", hours=2)
    assert after(paid, fraud(paid, "l1"), good(paid, hours=1), again, again) == after(paid, fraud(paid, "l1"))


def test_a_label_that_names_no_merchant_takes_the_fraud_back_where_it_was_counted():
    paid = tx()
    back = good(paid, hours=1, merchant_id=None, transaction_time_ms=paid.event_time_ms - HOUR_MS)
    assert after(paid, fraud(paid, "l1"), back) == after(paid)


def test_of_two_labels_the_one_that_was_known_last_has_the_last_word_in_any_order():
    paid = tx()
    first, back, again = fraud(paid, "l1"), good(paid, hours=1), fraud(paid, "l3", hours=2)
    assert after(paid, first, again, back) == after(paid, first)
    assert after(paid, first, good(paid, hours=0)) == after(paid), "at the same time it is taken back"


def test_a_payment_that_nobody_called_fraud_is_not_remembered_as_good():
    desk, paid = Desk(), tx()
    desk.decide(paid)
    assert desk.outputs(good(paid, hours=1)) == []


@pytest.mark.parametrize(("between", "taken"), [(REMEMBERED_FRAUDS - 1, True), (REMEMBERED_FRAUDS, False)])
def test_the_newest_frauds_of_a_user_can_be_taken_back(between, taken):
    paid, others = tx(), [tx(merchant_id="m2") for _ in range(between)]
    labels = [fraud(paid, "l1"), *(fraud(other, other.event_id) for other in others)]
    assert (after(paid, *labels, good(paid, hours=1)) == after(paid)) == taken


def test_a_fraud_that_was_counted_before_verdicts_were_kept_is_known_among_the_ids():
    paid = tx()
    old = [2, *packed_user(paid)[1:]]
    old[-1] = [*old[-1][:5], [*old[-1][5], stable_hash(f"fraud\0{paid.event_id}")]]
    for label, says in ((fraud(paid, "l1"), []), (good(paid, hours=1), [False])):
        stage = UserStage(count, clock_us)
        messages = stage.step([label], EntityCache({"user:ann": msgspec.msgpack.encode(old)}.get, 10))
        assert [m.is_fraud for m in messages if isinstance(m, Verdict)] == says


def packed_user(paid):
    cache = EntityCache({}.get, 10)
    UserStage(count, clock_us).step([record(paid)], cache)
    return msgspec.msgpack.decode(cache.take_writes()["user:ann"])


def fraud(paid, event_id, hours=0, **given):
    label = Label(
        event_id=event_id,
        event_time_ms=NOON_MS + DAY_MS + hours * HOUR_MS,
        user_id=paid.user_id,
        transaction_id=paid.event_id,
        transaction_time_ms=paid.event_time_ms,
        merchant_id=paid.merchant_id,
        is_fraud=True,
    )
    return label_record(msgspec.structs.replace(label, **given), 0, label.event_time_ms)


def good(paid, hours, **given):
    return fraud(paid, f"good-{paid.event_id}", hours, is_fraud=False, **given)


def after(paid, *labels):
    """What a payment of another user sees of the merchant, a week after these labels."""
    desk = Desk()
    desk.decide(paid)
    desk.outputs(*labels)
    return desk.decide(tx(NOON_MS + 8 * DAY_MS, user_id="bob")).features


def after_fraud(paid, event_id):
    desk = Desk()
    desk.decide(paid)
    desk.outputs(fraud(paid, event_id))
    return desk.decide(tx(NOON_MS + 8 * DAY_MS))

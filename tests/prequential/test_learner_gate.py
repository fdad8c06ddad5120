"""What a learner must have shown before a person can make it champion."""

from __future__ import annotations

import pytest
from promotion_builders import snapshot_of

from schemas.errors import GateError, InputError
from schemas.settings import Promotion
from schemas.units import HOUR_MS


@pytest.mark.parametrize(
    ("verdict", "by_hand", "passes"),
    [
        ("wait", {}, False),
        ("wait", {"yes": True}, False),
        (None, {"yes": True}, False),
        ("ask", {}, False),
        ("ask", {"yes": True}, True),
        ("refuse", {"yes": True}, False),
        ("refuse", {"force": True}, True),
    ],
)
def test_the_gate_follows_the_verdict(topic, verdict, by_hand, passes):
    if passes:
        topic.promote(snapshot_of("a", verdict), note="why", **by_hand)
        assert topic.modes() == {"a": "champion"}
    else:
        with pytest.raises(GateError, match="a: "):
            topic.promote(snapshot_of("a", verdict), note="why", **by_hand)
        assert topic.records == {}


def test_force_needs_a_note(topic):
    with pytest.raises(InputError, match="--note"):
        topic.promote(snapshot_of("a", "wait"), force=True)


def test_nobody_is_promoted_while_promotion_is_off(topic):
    with pytest.raises(GateError, match="off"):
        topic.promote(snapshot_of("a"), policy=Promotion(mode="off", least_shadow_hours=0))


def test_by_hand_a_learner_that_nobody_saw_is_refused_but_by_force(topic):
    with pytest.raises(GateError, match="nobody saw what it says, `sluice learners promote a --mode shadow`"):
        topic.promote(snapshot_of("a"), policy=Promotion())
    topic.promote(snapshot_of("a"), mode="shadow")
    topic.now_ms += 6 * HOUR_MS
    with pytest.raises(GateError, match=r"its mode is of 6\.0 hours ago, wait 18\.0 more"):
        topic.promote(snapshot_of("a"), policy=Promotion())
    topic.now_ms += 18 * HOUR_MS
    topic.promote(snapshot_of("a"), policy=Promotion())
    assert topic.modes() == {"a": "champion"}
    topic.promote(snapshot_of("b", opponent="a"), policy=Promotion(), note="known from elsewhere", force=True)
    assert topic.modes() == {"a": "shadow", "b": "champion"}

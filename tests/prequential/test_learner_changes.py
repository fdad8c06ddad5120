"""From shadow to champion and back, told to the control topic."""

from __future__ import annotations

import msgspec
import pytest
from promotion_builders import SEEN, snapshot_of

from infra.force import Force
from infra.learner_changes import promote, roll_back, set_one
from infra.learners_in_force import online_models
from schemas.control import OnlineModel
from schemas.control_records import audit_record, control_record
from schemas.errors import InputError, NotFoundError


def test_who_won_becomes_champion_and_the_champion_before_a_shadow(topic):
    topic.promote(snapshot_of("a"))
    topic.promote(snapshot_of("b", opponent="a"))
    assert topic.modes() == {"a": "shadow", "b": "champion"}
    assert topic.audits() == ["promote_learner"] * 2


def test_champions_of_other_tasks_stay(topic):
    topic.promote(snapshot_of("a"))
    topic.promote(snapshot_of("c", task="recommend"))
    assert topic.modes() == {"a": "champion", "c": "champion"}


@pytest.mark.parametrize("mode", ["shadow", "member", "off"])
def test_only_a_champion_must_have_won(topic, mode):
    topic.promote(snapshot_of("a", verdict=None), mode=mode)
    assert topic.modes() == {"a": mode}


@pytest.mark.parametrize("kind", ["half_space_trees", "bandit"])
def test_a_learner_that_gives_no_probability_is_a_member_with_a_weight_alone(topic, kind):
    snapshot = msgspec.structs.replace(snapshot_of("a", verdict=None), kind=kind)
    with pytest.raises(InputError, match=r"a says no probability.*give it a --weight, or --mode shadow"):
        topic.promote(snapshot, mode="member")
    wanted = OnlineModel("a", mode="member", weight=0.2)
    topic.take(promote(topic.records, snapshot, wanted, topic.by(), Force(), SEEN))
    assert topic.modes() == {"a": "member"}


def test_a_learner_without_a_snapshot_can_only_be_switched_off(topic):
    wanted = OnlineModel("a", mode="shadow")
    with pytest.raises(NotFoundError, match="no snapshot of a"):
        promote(topic.records, None, wanted, topic.by(), Force(), SEEN)


def test_rollbacks_take_changes_back_one_by_one(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a"), mode="member")
    topic.promote(snapshot_of("a", opponent="b"))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "member", "b": "champion"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}
    with pytest.raises(NotFoundError, match="nothing to take back for learner a"):
        roll_back(topic.records, "a", topic.by())
    assert topic.audits().count("rollback_learner") == 2


def test_a_rollback_crowns_nobody_beside_the_champion_of_now(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a", opponent="b"))
    topic.promote(snapshot_of("c", opponent="a"))
    with pytest.raises(InputError, match="for a was changed again since, and nothing of it is left"):
        roll_back(topic.records, "a", topic.by())
    topic.take(roll_back(topic.records, "c", topic.by()))
    assert topic.modes() == {"a": "champion", "b": "shadow"}
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "champion"}


def test_a_rollback_restores_what_still_stands_as_the_change_left_it(topic):
    topic.promote(snapshot_of("b"))
    topic.promote(snapshot_of("a", opponent="b"))
    topic.promote(snapshot_of("b"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"b": "member"}


def test_who_was_champion_before_it_was_set_aside_is_a_shadow_beside_another_champion(topic):
    topic.promote(snapshot_of("a"))
    topic.take(set_one(online_models(topic.records.values()), "a", None, topic.by()))
    topic.promote(snapshot_of("b"))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow", "b": "champion"}


def test_the_same_change_twice_is_taken_back_twice(topic):
    topic.promote(snapshot_of("a"), mode="shadow")
    for _ in range(2):
        topic.promote(snapshot_of("a"), mode="member")
    topic.take(roll_back(topic.records, "a", topic.by()))
    topic.take(roll_back(topic.records, "a", topic.by()))
    assert topic.modes() == {"a": "shadow"}


def test_an_audit_record_that_says_nothing_of_before_is_named(topic):
    topic.take([audit_record("promote_learner", "a", {"learner": "a"}, topic.by())])
    with pytest.raises(InputError, match="the audit record of a's newest change can not be read"):
        roll_back(topic.records, "a", topic.by())


def test_a_record_under_another_name_is_the_one_that_changes(topic):
    topic.take([control_record("online_model", "beside", OnlineModel("a"), topic.by())])
    topic.promote(snapshot_of("a"))
    assert topic.modes() == {"beside": "champion"}

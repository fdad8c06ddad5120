"""What every history store does with lists: the twin in memory and Cassandra."""

from __future__ import annotations

import msgspec
import pytest
from store_builders import NOON_MS, listing, told

from schemas import codec
from schemas.errors import InvalidError, StateVersionError
from schemas.events import SourcePosition
from schemas.online_scores import OnlineScores
from schemas.units import DAY_MS, HOUR_MS
from serving.stores.history import MAX_DAYS, MAX_LIMIT
from serving.stores.listed import listed, pack_listed, pack_whole, unpack_listed, unpack_whole, whole


def test_a_list_is_read_back_as_it_was_shown_without_features(history, fresh):
    user = fresh("u")
    written = listing(
        user,
        new_user=True,
        policy="p1",
        embeddings="e@2",
        feature_set="f-1",
        source=SourcePosition("interactions", 3, 9),
        bought=["i9"],
    )
    history.write_lists([written])
    assert history.lists_of(user, NOON_MS, NOON_MS + 1, 10) == [listed(written)]
    assert [place.propensity for place in listed(written).items] == [0.5, 0.5]
    assert history.lists_of(fresh("nobody"), 0, DAY_MS, 10) == []


def test_lists_come_newest_first_and_the_limit_keeps_the_newest_across_days(history, fresh):
    user = fresh("u")
    times = [NOON_MS - n * 8 * HOUR_MS for n in range(12)]
    history.write_lists([listing(user, at_ms) for at_ms in times[::-1]])
    for limit in (1, 4, 11, 12, MAX_LIMIT):
        found = history.lists_of(user, NOON_MS - 30 * DAY_MS, NOON_MS + 1, limit)
        assert [made.event_time_ms for made in found] == times[:limit]


def test_the_range_holds_its_start_and_not_its_end(history, fresh):
    user = fresh("u")
    history.write_lists([listing(user, NOON_MS + ms) for ms in range(5)])
    assert [made.event_time_ms - NOON_MS for made in history.lists_of(user, NOON_MS + 1, NOON_MS + 3, 10)] == [2, 1]


def test_a_replay_adds_nothing_and_two_lists_of_one_instant_stay_two(history, fresh):
    user = fresh("u")
    log = [listing(user, NOON_MS, list_id=name) for name in ("a", "b")]
    for batch in (log, log[1:], log + log):
        history.write_lists(batch)
    assert [made.list_id for made in history.lists_of(user, NOON_MS, NOON_MS + 1, 10)] == ["a", "b"]


def test_a_thousand_large_lists_fit_one_write(history, fresh):
    user = fresh("u")
    most = tuple(f"item-{place:058}" for place in range(100))
    history.write_lists([listing(user, NOON_MS + n, most) for n in range(200)])
    found = history.lists_of(user, NOON_MS, NOON_MS + DAY_MS, MAX_LIMIT)
    assert [made.event_time_ms - NOON_MS for made in found] == list(range(199, -1, -1))
    assert len(found[0].items) == 100


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name(history, fresh, name):
    with pytest.raises(InvalidError, match="user id"):
        history.write_lists([listing(fresh("u")), listing(name)])
    with pytest.raises(InvalidError, match="user id"):
        history.lists_of(name, 0, 1, 1)


def test_bounds_of_a_range_are_our_own_mistake(history):
    with pytest.raises(AssertionError, match="MAX_DAYS"):
        history.lists_of("u", 0, (MAX_DAYS + 1) * DAY_MS, 1)


def test_a_list_takes_less_than_half_of_its_json():
    made = listing(items=tuple(f"item-{place:05}" for place in range(20)))
    assert len(pack_listed(made)) < len(codec.encode(listed(made))) / 2
    assert len(pack_listed(made)) < 1000


def test_bytes_of_another_version_are_refused_by_name_and_those_of_this_one_stay_readable():
    frozen = bytes.fromhex(
        "0198a265319195a2693100cb3fe8000000000000a87472656e64696e67cb3feccccccccccccd"
        "a3662d31a3724031a3654031a170a173c3"
    )  # fmt: skip
    made = unpack_listed(frozen, "u1", NOON_MS, "l1")
    assert pack_listed(made) == frozen
    assert (made.event_id, made.items[0].item_id, made.items[0].propensity, made.new_user) == ("e1", "i1", 0.9, True)
    with pytest.raises(StateVersionError, match="stored list 'l1' has version 03, this release reads 1 and 2; upgrade"):
        unpack_listed(b"\x03" + frozen[1:], "u1", NOON_MS, "l1")


def test_a_list_says_which_learner_had_which_part_in_it():
    made = told(listing())
    assert unpack_listed(pack_listed(made), made.user_id, made.event_time_ms, made.list_id) == listed(made)
    assert unpack_whole(pack_whole(made, pack_listed(made)), made.list_id) == whole(made)
    assert whole(made).online["clicks@7"].weight == 0.4
    assert [item.champion_score for item in whole(made).items] == [-1.0 - place for place in range(len(made.items))]


def test_bytes_of_what_learners_said_stay_readable():
    frozen = bytes.fromhex(
        "029aa265319195a2693100cb3ff8000000000000a87472656e64696e67cb3feccccccccccccd"
        "a3662d31a3724031a0a0a0c281a8636c69636b7340379291cb3fd0000000000000cb3ff00000"
        "0000000091cbbff8000000000000"
    )  # fmt: skip
    made = unpack_listed(frozen, "u1", NOON_MS, "l1")
    assert pack_listed(made) == b"\x02\x9b" + frozen[2:] + b"\x80"
    assert made.online == {"clicks@7": OnlineScores([0.25], 1.0)}
    assert made.items[0].champion_score == -1.5


def test_a_list_says_which_variant_of_which_experiment_made_it():
    made = msgspec.structs.replace(listing(), variants={"fresher": "more"})
    kept = unpack_listed(pack_listed(made), made.user_id, made.event_time_ms, made.list_id)
    assert kept == listed(made)
    assert kept.variants == {"fresher": "more"}


def test_the_history_of_a_user_says_which_learner_had_a_part(history, fresh):
    user = fresh("u")
    made = told(listing(user, list_id=fresh("l")))
    history.write_lists([made])
    assert history.lists_of(user, NOON_MS, NOON_MS + 1, 10) == [listed(made)]
    assert history.lists([made.list_id])[made.list_id].online == made.online

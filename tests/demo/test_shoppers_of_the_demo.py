"""The demo's shoppers: the rate that was promised, a past that is the same for the model and the job, and one shop."""

from itertools import islice, pairwise

import pytest

from infra.demo import shoppers
from schemas.units import DAY_MS, HOUR_MS

NOON_MS = 1_790_000_000_000
NIGHT_MS = NOON_MS + 10 * HOUR_MS


@pytest.mark.parametrize("from_ms", [NOON_MS, NIGHT_MS])
def test_the_minute_holds_the_promised_interactions_evenly_by_day_and_by_night(from_ms):
    times = [event.event_time_ms for event in shoppers.minute(50, 20, from_ms)]
    assert len(times) == 1000
    assert all(a <= b for a, b in pairwise(times))
    assert from_ms <= times[0]
    assert from_ms + 19_000 < times[-1] < from_ms + 20_000
    assert 350 < sum(time_ms < from_ms + 10_000 for time_ms in times) < 650


def test_another_moment_gives_other_interactions_of_the_same_shoppers_with_the_same_items():
    first, second = (shoppers.minute(50, 20, NOON_MS + shift_ms) for shift_ms in (0, 60_000))
    assert not {event.event_id for event in first} & {event.event_id for event in second}
    touched = [{(event.user_id, event.item_id) for event in minute} for minute in (first, second)]
    assert len(touched[0] & touched[1]) < len(touched[0]) / 10
    before = shoppers.history(50, NOON_MS - 7 * DAY_MS, NOON_MS)
    past = {event.user_id for event in before}
    acting = {event.user_id for event in second}
    assert len(acting & past) > len(acting) / 2


def test_a_past_that_goes_on_longer_begins_the_same():
    begin_ms = NOON_MS - 7 * DAY_MS
    shorter = list(shoppers.history(20, begin_ms, NOON_MS))
    assert shorter == list(islice(shoppers.history(20, begin_ms, NOON_MS + 60_000), len(shorter)))
    assert max(event.event_time_ms for event in shorter) < NOON_MS


def test_every_item_is_in_the_catalogue_which_is_the_same_whatever_the_size_of_the_world():
    known = {item.item_id for item in shoppers.catalogue(NOON_MS)}
    assert len(known) == shoppers.ITEMS
    for rate in (10, 40):
        touched = (*shoppers.minute(rate, 10, NOON_MS), *shoppers.history(rate, NOON_MS - DAY_MS, NOON_MS))
        assert {event.item_id for event in touched} <= known


def test_no_shopper_lives_in_two_worlds_and_nothing_is_sold_out_or_banned():
    worlds = [{event.user_id for event in shoppers.minute(rate, 10, NOON_MS)} for rate in (10, 40)]
    assert not worlds[0] & worlds[1]
    assert all(item.stock is None and not item.flags for item in shoppers.catalogue(NOON_MS))

"""Both sides of the bounds of a user's own time and place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from builders import Desk, tx
from histories import NOON_MS
from hypothesis import given
from hypothesis import strategies as st
from reference import DAY, HOUR, MINUTE

from serving.features.catalogue import NAMES
from serving.features.travel import EARTH_KM

# NOON_MS is twelve o'clock.
MIDNIGHT_MS = NOON_MS - 12 * HOUR
DEGREES_A_KM = 360 / (2 * 3.141592653589793 * EARTH_KM)


def value(decision, name: str) -> float:
    return decision.features[NAMES.index(name)]


@pytest.mark.parametrize(
    ("moment", "offset_min", "day", "month"),
    [
        ("2024-02-28T23:59:59.999", 0, 28, 2),
        ("2024-02-28T23:59:59.999", 1, 29, 2),
        ("2024-03-01T00:00", 0, 1, 3),
        ("2024-03-01T00:00", -1, 29, 2),
        ("2025-03-01T00:00", -1, 28, 2),
        ("2025-12-31T23:00", 59, 31, 12),
        ("2025-12-31T23:00", 60, 1, 1),
        ("1970-01-01T00:00", -840, 31, 12),
        ("2099-12-31T23:59", 0, 31, 12),
    ],
)
def test_day_and_month_are_those_of_the_users_own_zone(moment, offset_min, day, month):
    at_ms = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
    decision = Desk().decide(tx(at_ms, utc_offset_min=offset_min))
    assert (value(decision, "day_of_month"), value(decision, "month")) == (day, month)


@given(st.integers(0, 4_102_444_799_999), st.integers(-840, 840))
def test_every_date_is_the_calendars(at_ms, offset_min):
    local = datetime.fromtimestamp(0, UTC).timestamp() + at_ms // 1000 + offset_min * 60
    decision = Desk().decide(tx(at_ms, utc_offset_min=offset_min))
    date = datetime.fromtimestamp(local, UTC)
    found = [value(decision, name) for name in ("month", "day_of_month", "hour", "day_of_week")]
    assert found == [date.month, date.day, date.hour, date.weekday()]


@pytest.mark.parametrize(("km", "unusual"), [(499.9, 0), (500.1, 1), (999.9, 1)])
def test_more_than_500_km_from_the_last_place_is_unusual(km, unusual):
    desk = Desk()
    desk.decide(tx(NOON_MS, lat=10.0, lon=20.0))
    decision = desk.decide(tx(NOON_MS + DAY, lat=10.0 + km * DEGREES_A_KM, lon=20.0))
    assert value(decision, "user_unusual_location") == unusual
    assert value(decision, "user_impossible_travel") == 0


@pytest.mark.parametrize(("hour", "unusual"), [(8, 1), (9, 0), (11, 0), (12, 1), (13, 1), (14, 0), (16, 0), (17, 1)])
def test_a_new_users_typical_hours_are_those_of_business(hour, unusual):
    assert value(Desk().decide(tx(MIDNIGHT_MS + hour * HOUR)), "user_unusual_time") == unusual


@pytest.mark.parametrize(("earlier", "unusual"), [(9, 1), (10, 0)])
def test_ten_earlier_payments_say_which_hours_are_typical(earlier, unusual):
    desk = Desk()
    for day in range(earlier):
        desk.decide(tx(MIDNIGHT_MS + day * DAY + 3 * HOUR))
    assert value(desk.decide(tx(MIDNIGHT_MS + 20 * DAY + 3 * HOUR + MINUTE)), "user_unusual_time") == unusual


@pytest.mark.parametrize(("elsewhere", "unusual"), [(23, 0), (24, 1)])
def test_an_hour_with_its_even_share_is_typical(elsewhere, unusual):
    desk = Desk()
    desk.decide(tx(MIDNIGHT_MS + 3 * HOUR))
    for day in range(elsewhere):
        desk.decide(tx(MIDNIGHT_MS + day * DAY + 20 * HOUR))
    assert value(desk.decide(tx(MIDNIGHT_MS + 40 * DAY + 3 * HOUR)), "user_unusual_time") == unusual


def test_the_hour_is_the_users_own():
    assert value(Desk().decide(tx(MIDNIGHT_MS + 3 * HOUR, utc_offset_min=6 * 60)), "user_unusual_time") == 0

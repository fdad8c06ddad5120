"""Quiet hours are those of the clock where a person lives, also where it is put forward or back."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from alert_builders import NOON_MS, person
from hypothesis import given
from hypothesis import strategies as st

from infra.alerts.quiet_hours import free_from_ms, zone_of
from schemas.errors import SettingsError
from schemas.units import HOUR_MS, MINUTE_MS

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")


def is_quiet(now_ms, somebody):
    hour = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(somebody.zone)).hour
    start, end = somebody.quiet_from_hour, somebody.quiet_until_hour
    return any((start + step) % 24 == hour for step in range((end - start) % 24))


@given(
    minutes=st.integers(min_value=0, max_value=3 * 366 * 24 * 60),
    zone=st.sampled_from(ZONES),
    start=st.integers(min_value=0, max_value=23),
    end=st.integers(min_value=0, max_value=23),
)
def test_the_end_is_the_first_minute_that_is_not_quiet(minutes, zone, start, end):
    somebody = person(zone=zone, quiet_from_hour=start, quiet_until_hour=end)
    now_ms = 1_700_000_000_000 // MINUTE_MS * MINUTE_MS + minutes * MINUTE_MS
    free_ms = free_from_ms(now_ms, somebody, zone_of(somebody))
    # A naive clock: minute by minute, until one is not quiet.
    naive_ms = now_ms
    while is_quiet(naive_ms, somebody):
        naive_ms += MINUTE_MS
    assert free_ms == naive_ms


@pytest.mark.parametrize(
    ("hour", "minute", "quiet_until"),
    [(21, 59, None), (22, 0, 8), (3, 0, 8), (7, 59, 8), (8, 0, None)],
)
def test_both_sides_of_the_bounds(hour, minute, quiet_until):
    somebody = person(zone="Europe/Berlin")
    zone = zone_of(somebody)
    here = datetime(2026, 3, 3, hour, minute, tzinfo=zone)
    now_ms = int(here.timestamp() * 1000)
    free = datetime.fromtimestamp(free_from_ms(now_ms, somebody, zone) / 1000, zone)
    assert (free.hour, free.minute) == ((hour, minute) if quiet_until is None else (quiet_until, 0))


def test_no_hours_are_quiet_when_they_begin_where_they_end():
    somebody = person(quiet_from_hour=5, quiet_until_hour=5)
    for hour in range(24):
        now_ms = NOON_MS + hour * HOUR_MS
        assert free_from_ms(now_ms, somebody, UTC) == now_ms


def test_a_zone_that_does_not_exist_names_the_person():
    with pytest.raises(SettingsError, match=r"ada: no time zone 'Middle/Earth'; give a name such as"):
        zone_of(person(zone="Middle/Earth"))

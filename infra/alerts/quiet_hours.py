"""The hours in which a person is not disturbed, on the clock of the place where they live (NOT-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import SettingsError
from schemas.settings import Person


def zone_of(person: Person) -> ZoneInfo:
    """The person's time zone. Raises SettingsError that names person and zone."""
    try:
        return ZoneInfo(person.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(
            f"alerts.people {person.name}: no time zone {person.zone!r}; give a name such as Europe/Berlin"
        ) from error


def free_from_ms(now_ms: int, person: Person, zone: ZoneInfo) -> int:
    """The first instant from now on at which the person may be disturbed: now itself outside of quiet hours."""
    start, end = person.quiet_from_hour, person.quiet_until_hour
    here = datetime.fromtimestamp(now_ms / 1000, zone)
    quiet = start <= here.hour < end if start < end else here.hour >= start or here.hour < end
    if start == end or not quiet:
        return now_ms
    day = here.date() + timedelta(days=1 if here.hour >= end else 0)
    until = datetime(day.year, day.month, day.day, end, tzinfo=zone).astimezone(UTC)
    # Where the clock leaps over that hour, the instant right after the leap is meant.
    return max(now_ms, round(until.timestamp() * 1000))

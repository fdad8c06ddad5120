"""Times as people read and write them."""

from __future__ import annotations

import pytest

from schemas import instants

FIVE_MS = 1_769_846_405_999


def test_a_time_is_printed_to_the_day_the_minute_and_the_second_in_utc() -> None:
    assert instants.day(FIVE_MS) == "2026-01-31"
    assert instants.minute(FIVE_MS) == "2026-01-31 08:00"
    assert instants.second(FIVE_MS) == "2026-01-31 08:00:05Z"
    assert instants.second_utc(FIVE_MS) == "2026-01-31 08:00:05 UTC"


@pytest.mark.parametrize(
    "text", ["2026-01-31T08:00:05.999", "2026-01-31T08:00:05.999Z", "2026-01-31 09:00:05.999+01:00"]
)
def test_a_time_is_read_in_its_zone_and_without_one_in_utc(text: str) -> None:
    assert instants.milliseconds(text) == FIVE_MS


@pytest.mark.parametrize("text", ["", "now", "2026-13-01"])
def test_what_names_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|month"):
        instants.milliseconds(text)


def test_what_is_printed_reads_as_the_same_second() -> None:
    assert instants.milliseconds(instants.second(FIVE_MS)) == FIVE_MS // 1000 * 1000

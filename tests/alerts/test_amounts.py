"""How much money flowed in a window is the sum of what was heard of it."""

from __future__ import annotations

import pytest
from alert_builders import NOON_MS

from infra.alerts import amounts
from infra.alerts.amounts import KEPT_MS, MAX_SEGMENTS, WIDTH_MS, flowed
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.watching import Aggregate


def figure(start_ms, value=10.0, name="amount", segment=""):
    return Aggregate(
        event_id=f"{name}-{start_ms}", event_time_ms=start_ms, name=name, segment=segment, value=value, count=1,
        window_start_ms=start_ms, window_end_ms=start_ms + WIDTH_MS,
    )  # fmt: skip


def kept(*figures):
    found = {}
    for one in figures:
        amounts.keep(found, one)
    return found


def test_overlapping_figures_other_figures_and_a_figure_told_twice_do_not_count():
    each_minute = [figure(NOON_MS - at * MINUTE_MS) for at in range(60, 0, -1)]
    found = kept(*each_minute, *each_minute, figure(NOON_MS - HOUR_MS, 7.0, "revenue"))
    assert flowed(found, "", NOON_MS - HOUR_MS, NOON_MS) == 120


def test_a_silent_part_of_a_window_brought_nothing():
    found = kept(figure(NOON_MS - DAY_MS), figure(NOON_MS - HOUR_MS), figure(NOON_MS - WIDTH_MS))
    assert flowed(found, "", NOON_MS - DAY_MS, NOON_MS) == 30
    assert flowed(found, "", NOON_MS - HOUR_MS, NOON_MS) == 20
    assert flowed(found, "eu", NOON_MS - HOUR_MS, NOON_MS) == 0


def test_of_a_window_that_began_unheard_the_known_part_stands_for_the_whole():
    found = kept(*(figure(NOON_MS - at * WIDTH_MS) for at in (3, 2, 1)))
    assert flowed(found, "", NOON_MS - HOUR_MS, NOON_MS) == pytest.approx(120)
    assert flowed(found, "", NOON_MS - DAY_MS, NOON_MS) == pytest.approx(2880)
    assert flowed(found, "", NOON_MS - DAY_MS, NOON_MS - HOUR_MS) == 0


def test_what_is_kept_is_bounded_by_time_and_by_segments():
    found = kept(*(figure(NOON_MS + at * WIDTH_MS) for at in range(1_000)))
    assert len(found[""]) == KEPT_MS // WIDTH_MS + 1
    amounts.keep(found, figure(NOON_MS + 2 * 1_000 * WIDTH_MS, segment="eu"))
    assert set(found) == {"eu"}
    for number in range(2 * MAX_SEGMENTS):
        amounts.keep(found, figure(NOON_MS + 2_000 * WIDTH_MS, segment=f"s{number}"))
    assert len(found) == MAX_SEGMENTS

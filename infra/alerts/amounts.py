"""How much money flowed, by segment: amounts of five minutes that do not overlap, of the last day and a bit."""

from __future__ import annotations

from schemas.units import HOUR_MS, MINUTE_MS
from schemas.watching import Aggregate

# Segment, begin of the five minutes, what flowed in them in major units.
Amounts = dict[str, dict[int, float]]

# The business figure that says it.
NAME = "amount"
WIDTH_MS = 5 * MINUTE_MS
# The longest window of a report is a day, and it is told within the hour that follows.
KEPT_MS = 26 * HOUR_MS
# Settings name at most eight segments; then there is all traffic, and those of settings of before.
MAX_SEGMENTS = 16


def keep(amounts: Amounts, aggregate: Aggregate) -> None:
    """Take in what flowed in five minutes; figures are told each minute, and those that overlap are left out.

    The same figure twice counts once.
    """
    start_ms = aggregate.window_start_ms
    if aggregate.name != NAME or start_ms % WIDTH_MS:
        return
    if aggregate.segment in amounts or len(amounts) < MAX_SEGMENTS:
        amounts.setdefault(aggregate.segment, {})[start_ms] = aggregate.value
    oldest_ms = max((at for of_segment in amounts.values() for at in of_segment), default=0) - KEPT_MS
    for segment, of_segment in list(amounts.items()):
        for at in [at for at in of_segment if at < oldest_ms]:
            del of_segment[at]
        if not of_segment:
            del amounts[segment]


def flowed(amounts: Amounts, segment: str, start_ms: int, end_ms: int) -> float:
    """What flowed in the segment within a window, zero where nothing is known of it.

    Of a window that began before anything was heard, the part that is known stands for the whole.
    """
    known = amounts.get(segment)
    if not known:
        return 0.0
    covered_ms = end_ms - max(start_ms, min(known))
    if covered_ms <= 0:
        return 0.0
    return sum(amount for at, amount in known.items() if start_ms <= at < end_ms) * (end_ms - start_ms) / covered_ms

"""Whether a model errs more often than it did: a change of concept shows there while features stay as they are (DRF-6).

The newest period alone, and the newest two and four together, are set against all that came before them and was found
calm; what was found to be worse does not become the yardstick. Fisher's exact test on counts, one side: errors are few.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from serving.drift.measures.fisher import rise

# Chance alone finds a rise in one of so many periods at most: the share is divided among the spans.
ALPHA = 0.001
SPANS = (1, 2, 4)
# So much more, as a share of the usual: with many answers chance explains less than what anybody should act on.
LEAST_RISE = 0.25

# Wrong and right answers.
Counts = tuple[float, float]


class Past(msgspec.Struct, array_like=True):
    """Wrong and right answers of all calm periods but the newest, and of each of the newest, at most a span of them."""

    before: Counts = (0.0, 0.0)
    newest: list[Counts] = []


class Rise(NamedTuple):
    """The verdict on a period. `usual` is the share of errors before it, nan where nothing is known."""

    worse: bool
    usual: float
    p_value: float


def judge(past: Past, wrong: float, right: float) -> Rise:
    """The next period, which `past` takes in. Counts of answers that stand for many are of plain ones as sure."""
    usual = _share(_sum(past.before, past.newest))
    periods = [*past.newest, (wrong, right)]
    least, worse = 1.0, False
    for span in SPANS:
        if len(periods) >= span:
            before, now = _sum(past.before, periods[:-span]), _sum((0.0, 0.0), periods[-span:])
            p_value = min(1.0, _p_value(before, now) * len(SPANS))
            least = min(least, p_value)
            worse |= p_value < ALPHA and _share(now) >= (1 + LEAST_RISE) * _share(before)
    if worse:
        # The calm that it is compared with stays what it was; a longer span must not need this period again.
        return Rise(True, usual, least)
    past.newest = periods
    if len(past.newest) == max(SPANS):
        past.before = _sum(past.before, past.newest[:1])
        past.newest = past.newest[1:]
    return Rise(False, usual, least)


def _p_value(before: Counts, now: Counts) -> float:
    """How likely chance makes so many errors or more; 1 where there are no more, or nothing to compare."""
    if not sum(before) or not sum(now) or _share(now) <= _share(before):
        return 1.0
    if not before[0]:
        # As for the validation: that there were no errors does not say that there are none.
        before = (1.0, before[1] + 1)
    return rise((round(before[0]), round(before[1])), (round(now[0]), round(now[1])))


def _share(counts: Counts) -> float:
    return counts[0] / sum(counts) if sum(counts) else float("nan")


def _sum(first: Counts, others: list[Counts]) -> Counts:
    return first[0] + sum(wrong for wrong, _ in others), first[1] + sum(right for _, right in others)

"""Whether a model errs more often than it did: a change of concept shows there while features stay as they are (DRF-6).

The newest period alone, and the newest two and four together, are set against all that came before them and was found
calm; what was found to be worse does not become the yardstick. Pearson's chi-square on counts, one side.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np

from serving.drift.measures.chi_square import chi_square

# Chance alone finds a rise in one of so many periods at most: the share is divided among the spans.
ALPHA = 0.001
SPANS = (1, 2, 4)

# Wrong and right answers.
Counts = tuple[float, float]


class Past(msgspec.Struct, array_like=True):
    """Wrong and right answers of all calm periods but the newest, and those of the newest, at most as many as a span.

    `raised` holds while errors are more than before.
    """

    before: Counts = (0.0, 0.0)
    newest: list[Counts] = []
    raised: bool = False


class Rise(NamedTuple):
    """The verdict on a period. `usual` is the share of errors before it, nan where nothing is known."""

    worse: bool
    usual: float
    p_value: float


def judge(past: Past, wrong: float, right: float) -> Rise:
    """The next period, which `past` takes in. Counts of answers that stand for many are of plain ones as sure."""
    usual = _share(_sum(past.before, past.newest))
    spans = [*past.newest, (wrong, right)]
    least = 1.0
    for span in SPANS:
        if len(spans) >= span:
            least = min(least, _p_value(_sum(past.before, spans[:-span]), _sum((0.0, 0.0), spans[-span:])))
    p_value = min(1.0, least * len(SPANS))
    past.raised = p_value < ALPHA
    if past.raised:
        # The calm that it is compared with stays what it was; a longer span must not need this period again.
        return Rise(True, usual, p_value)
    past.newest = spans
    if len(past.newest) == max(SPANS):
        past.before = _sum(past.before, past.newest[:1])
        past.newest = past.newest[1:]
    return Rise(False, usual, p_value)


def _p_value(before: Counts, now: Counts) -> float:
    """How likely chance makes so many more errors than before; 1 where there are no more, or nothing to compare."""
    if not sum(before) or not sum(now) or _share(now) <= _share(before):
        return 1.0
    _, both_sides = chi_square(np.array(before), np.array(now))
    return both_sides / 2


def _share(counts: Counts) -> float:
    return counts[0] / sum(counts) if sum(counts) else float("nan")


def _sum(first: Counts, others: list[Counts]) -> Counts:
    return first[0] + sum(wrong for wrong, _ in others), first[1] + sum(right for _, right in others)

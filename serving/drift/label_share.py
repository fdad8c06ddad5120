"""The share of positives of a day against that of the first day that was told: label drift (DRF-6)."""

from __future__ import annotations

import math

from schemas.measures import POSITIVE_SHARE
from schemas.watching import DriftReport
from serving.drift.day_report import Day, of_day
from serving.drift.levels import Levels
from serving.drift.score_curve import MICRO, ScoreCurve

# A share of positives that is so much more or less than that of the first day (its ratio less one), beyond chance.
SHIFTS, SHIFT_ERRORS = (0.25, 0.5), 3.0


def of_label_share(day: Day, curve: ScoreCurve, shares: dict[str, tuple[float, float]], levels: Levels) -> DriftReport:
    """The report of a day whose labels stand for all its answers, some of them positive.

    `shares` are of first days, by model name and segment, with the squares of their relative errors; it is changed.
    """
    share = float(curve.counts[4].sum()) / MICRO / curve.labelled()
    relative = curve.negatives_error()[0]
    squared = 1 / int(curve.counts[2].sum()) + (0.0 if math.isnan(relative) else relative * relative)
    about = f"{day.model.partition('@')[0]}/{day.segment}"
    before, before_squared = shares.setdefault(about, (share, squared))
    ratio = share / before
    likely = abs(math.log(ratio)) > SHIFT_ERRORS * math.sqrt(squared + before_squared)
    level = levels.hold(f"{about}/{POSITIVE_SHARE}", max(ratio, 1 / ratio) - 1, SHIFTS, day.end_ms, likely=likely)
    rows = int(curve.counts[2:4].sum())
    return of_day(day, "label", "fraud", POSITIVE_SHARE, share, before, level, rows, shares=(before, share))

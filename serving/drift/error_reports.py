"""How often a model erred on a day, against the days before and its validation: concept drift (DRF-6)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.measures import ERROR_SHARE, ERRORS
from schemas.watching import DriftReport
from serving.drift.baseline import Baseline
from serving.drift.day_report import Day, of_day
from serving.drift.error_rise import Past, judge
from serving.drift.levels import Levels
from serving.drift.score_curve import ScoreCurve

# A day of fewer labelled answers says nothing.
LEAST_ROWS = 50
# There is nothing between as before and worse.
RAISED = (1.0, 1.0)


def of_errors(
    day: Day, curve: ScoreCurve, pasts: dict[str, Past], baseline: Baseline, levels: Levels
) -> Iterator[DriftReport]:
    """The report of a day whose labels stand for all its answers. `pasts` is changed: it is by model and segment.

    The past of all traffic begins with the validation; segments have none of their own there, and begin with a day.
    """
    rows = int(curve.counts[2:4].sum())
    errors = curve.errors()
    if rows < LEAST_ROWS or not errors.rows:
        return
    subject = day.subject(ERROR_SHARE)
    past = pasts.get(subject)
    if past is None:
        before = (0.0, 0.0) if day.segment or not baseline.right else (baseline.wrong + 1, baseline.right + 1)
        # One of each, so that a perfect model can be compared, too.
        past = pasts[subject] = Past(before)
    rise = judge(past, errors.share * errors.rows, (1 - errors.share) * errors.rows)
    level = levels.hold(subject, float(rise.worse), RAISED, day.end_ms, likely=rise.worse)
    limit = 0.0 if math.isnan(rise.usual) else rise.usual
    yield of_day(day, "error", ERRORS, ERROR_SHARE, errors.share, limit, level, rows, p_value=rise.p_value)

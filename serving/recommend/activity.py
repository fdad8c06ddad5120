"""What a user did in the last hour, week and month (REC-9), and the time of day, as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS, HOUR_MS
from serving.compiled import compiled


@compiled
def activity(
    recent: NDArray[np.int64],
    recent_size: int,
    days: NDArray[np.int64],
    days_size: int,
    known_size: int,
    now_ms: int,
) -> NDArray[np.float64]:
    """Interactions of an hour, 7 and 30 days, purchases of 30 days, items touched, all log(1+x); hour, weekday."""
    hour = week = month = bought = 0
    for row in range(recent_size):
        hour += recent[row, 0] > now_ms - HOUR_MS
    today = now_ms // DAY_MS
    for row in range(days_size):
        if days[row, 0] > today - 7:
            week += days[row, 1]
        if days[row, 0] > today - 30:
            month += days[row, 1]
            bought += days[row, 2]
    return np.array(
        [
            np.log1p(hour),
            np.log1p(week),
            np.log1p(month),
            np.log1p(bought),
            np.log1p(known_size),
            now_ms // HOUR_MS % 24,
            (today + 3) % 7,
        ]
    )

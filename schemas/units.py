"""Milliseconds in a second, a minute, an hour, a day and a week, and seconds in a day: whole numbers, written once.

Compiled code keeps them as they were when it was compiled (serving/compiled.py), as they never change.
"""

from __future__ import annotations

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
DAY_S = DAY_MS // SECOND_MS

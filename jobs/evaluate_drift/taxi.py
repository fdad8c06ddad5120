"""Taxi trips of New York by weeks: 2018 is the reference, 2019 should be calm but for a new column, then came 2020.

Known drifts: the congestion surcharge, a column that appears on 2019-01-01 and is charged from 2019-02-02 on, and the
pandemic, from 2020-03-16 (schools closed). After an alarm the eight weeks that follow are the new reference. What came
after the pandemic's first alarm is not judged: nobody knows which of those weeks were calm.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jobs.evaluate_drift.columns import Columns
from jobs.evaluate_drift.known import Alarm, Drift, Found, found
from jobs.evaluate_drift.watched import BATCH, Floats, Times, Watched
from schemas.units import HOUR_MS, MINUTE_MS, WEEK_MS
from serving.drift.baseline import Baseline

FILE = "trips.parquet"
COLUMNS = (
    "vendor_id",
    "passenger_count",
    "trip_distance",
    "rate_code_id",
    "pickup_location_id",
    "dropoff_location_id",
    "payment_type",
    "fare_amount",
    "extra",
    "tip_amount",
    "tolls_amount",
    "total_amount",
    "congestion_surcharge",
)
NEW_REFERENCE_WEEKS = 8
# A missing value is a category of its own: that it is missing no more is a change, too.
MISSING = -1.0


def _ms(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, tzinfo=UTC).timestamp() * 1000)


# Of the first of the days that weeks stand for; trips begin at a whole day, too.
START_MS = _ms(2024, 1, 1)
FROM_MS, WATCHED_MS, TO_MS = _ms(2018, 1, 1), _ms(2018, 12, 31), _ms(2021, 1, 1)
SURCHARGE_MS, CHARGED_MS, PANDEMIC_MS = _ms(2019, 1, 1), _ms(2019, 2, 2), _ms(2020, 3, 16)


def run(folder: Path) -> dict[str, Found]:
    """The verdict on the one stream. Raises InputError when the file is missing or another one."""
    times, names, rows = _read(folder / FILE)
    drifts = [
        Drift(_number(times, SURCHARGE_MS), _number(times, CHARGED_MS) - _number(times, SURCHARGE_MS)),
        Drift(_number(times, PANDEMIC_MS)),
    ]
    alarms: list[Alarm] = []
    windows: list[tuple[int, int]] = []
    watched = Watched(names)
    # A week stands for a day; nobody scores trips.
    days_ms, scores = START_MS + (times - FROM_MS) // 7, np.zeros(len(rows))
    from_ms, start_ms = FROM_MS, WATCHED_MS
    while start_ms + WEEK_MS <= TO_MS and not (alarms and alarms[-1].at > drifts[1].at):
        begin = _number(times, start_ms)
        known = slice(_number(times, from_ms), begin)
        watched.begin(rows[known], scores[known], Baseline())
        at = begin
        differing: list[str] = []
        while at < len(rows) and not differing:
            batch = slice(at, at + BATCH)
            differing = watched.feed(days_ms[batch], rows[batch], scores[batch])
            at = min(batch.stop, len(rows))
        told_ms = int(times[at - 1])
        weeks = [(week, week + WEEK_MS) for week in range(start_ms, told_ms, WEEK_MS) if week + WEEK_MS < told_ms]
        windows += [(_number(times, week), _number(times, end)) for week, end in weeks]
        if not differing:
            break
        alarms.append(Alarm(at, differing))
        # Whole weeks after the alarm.
        from_ms = FROM_MS + -(-(told_ms - FROM_MS) // WEEK_MS) * WEEK_MS
        start_ms = from_ms + NEW_REFERENCE_WEEKS * WEEK_MS
    return {"nyc-taxi": found(drifts, alarms, windows, watched.bytes_per_feature)}


def _read(file: Path) -> tuple[Times, list[str], Floats]:
    """Times, names and rows of the three years: the columns, the hour, and the minutes that a trip took."""
    table = Columns(file, "nyc-taxi")
    times = table.times("pickup_datetime")
    took = (table.times("dropoff_datetime") - times) / MINUTE_MS
    columns = [table.numbers(name) for name in COLUMNS]
    rows = np.nan_to_num(np.column_stack([*columns, times // HOUR_MS % 24, took]), nan=MISSING)
    order = np.argsort(times, kind="stable")
    order = order[(times[order] >= FROM_MS) & (times[order] < TO_MS)]
    return times[order], [*COLUMNS, "hour", "minutes"], rows[order]


def _number(times: Times, at_ms: int) -> int:
    """The number of the first event at that time or later."""
    return int(np.searchsorted(times, at_ms))

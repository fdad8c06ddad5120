"""Taxi trips of New York by weeks: 2018 is the reference, 2019 should be calm but for what was charged, then came 2020.

Known drifts: the congestion surcharge, a column that appears on 2019-01-01 and is charged from 2019-02-02 on, the tolls
of 2019-03-31 (5.76 became 6.12), and the pandemic, from 2020-03-16 (schools closed). After an alarm the eight weeks
that follow are the new reference. What came after the pandemic's first alarm is not judged: nobody knows which of those
weeks were calm.

A second run compares all of 2020 with one reference, 2018 and 2019 together. Half of that has no surcharge, so this
drift is there from the first week on.
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
YEAR_2020_MS = _ms(2019, 12, 30)
SURCHARGE_MS, CHARGED_MS = _ms(2019, 1, 1), _ms(2019, 2, 2)
TOLLS_MS, PANDEMIC_MS = _ms(2019, 3, 31), _ms(2020, 3, 16)


def run(folder: Path) -> dict[str, Found]:
    """The verdicts on the two runs. Raises InputError when the file is missing or another one."""
    trips = _read(folder / FILE)
    return {"nyc-taxi": _with_new_references(*trips), "nyc-taxi-2020-against-2018-19": _with_one_reference(*trips)}


def _with_new_references(times: Times, names: list[str], rows: Floats) -> Found:
    drifts = [
        Drift(_number(times, SURCHARGE_MS), _number(times, CHARGED_MS) - _number(times, SURCHARGE_MS)),
        Drift(_number(times, TOLLS_MS)),
        Drift(_number(times, PANDEMIC_MS)),
    ]
    alarms: list[Alarm] = []
    windows: list[tuple[int, int]] = []
    watched = Watched(names)
    # A week stands for a day; nobody scores trips.
    days_ms, scores = START_MS + (times - FROM_MS) // 7, np.zeros(len(rows))
    from_ms, start_ms = FROM_MS, WATCHED_MS
    while start_ms + WEEK_MS <= TO_MS and not (alarms and alarms[-1].at > drifts[-1].at):
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
    return found(drifts, alarms, windows, watched.bytes_per_feature)


def _with_one_reference(times: Times, names: list[str], rows: Floats) -> Found:
    """The weeks of 2020. What the pandemic changed goes on to the end, so nothing after it is a false alarm."""
    first, pandemic = _number(times, YEAR_2020_MS), _number(times, PANDEMIC_MS)
    drifts = [Drift(first), Drift(pandemic, len(rows) - pandemic)]
    days_ms, scores = START_MS + (times - FROM_MS) // 7, np.zeros(len(rows))
    watched = Watched(names)
    watched.begin(rows[:first], scores[:first], Baseline())
    alarms: list[Alarm] = []
    for at in range(first, len(rows), BATCH):
        batch = slice(at, at + BATCH)
        differing = watched.feed(days_ms[batch], rows[batch], scores[batch])
        if differing:
            alarms.append(Alarm(min(batch.stop, len(rows)), differing))
    weeks = range(YEAR_2020_MS, int(times[-1]) - WEEK_MS, WEEK_MS)
    windows = [(_number(times, week), _number(times, week + WEEK_MS)) for week in weeks]
    return found(drifts, alarms, windows, watched.bytes_per_feature)


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

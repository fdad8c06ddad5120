"""Builders for tests of drift: answers of a small model, their reference, and the step over state in memory."""

from __future__ import annotations

import numpy as np

from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.events import Decision
from schemas.settings import Drift
from schemas.topics import DECISIONS
from schemas.units import HOUR_MS
from serving.drift.watch import Watch
from serving.features.catalogue import CALENDAR, CYCLES_MS, FEATURE_SET, NAMES
from serving.inflight import Record

START_MS = 1_760_000_400_000
MODEL = "fraud@1"
# Watched alone: the others are there, and zero.
PLACES = [place for place, name in enumerate(NAMES) if name not in {*CYCLES_MS, *CALENDAR}][:4]
WATCHED = [NAMES[place] for place in PLACES]
ALL_OF_THEM = Drift(sample_permille=1000)


def vectors(rng, count, shift=0.0):
    """Feature rows, shape (count, all features); the first watched one is shifted."""
    rows = np.zeros((count, len(NAMES)))
    rows[:, PLACES] = rng.gamma(2, 1, (count, len(PLACES)))
    rows[:, PLACES[3]] = np.rint(rows[:, PLACES[3]])
    rows[:, PLACES[0]] += shift
    return rows


def scores(rng, count):
    return 1 / (1 + np.exp(-rng.normal(-1, 1, count)))


def make_reference(count=20_000):
    rng = np.random.default_rng(1)
    return reference(vectors(rng, count)[:, PLACES].astype(np.float32), WATCHED, scores(rng, count))


def record(number, time_ms, vector, score=0.1, **fields):
    decision = Decision(
        event_id=f"e{number}",
        event_time_ms=time_ms,
        user_id=f"u{number % 97}",
        merchant_id=f"m{number % 7}",
        amount=10.0,
        score=score,
        features=list(vector),
        **{"feature_set": FEATURE_SET, "model": MODEL, "decision": "APPROVE"} | fields,
    )
    return Record(DECISIONS.name, 0, number, time_ms, decision.user_id.encode(), codec.encode(decision))


def hours(count, per_hour, shifts, *, seed=2, **fields):
    """Decisions of so many hours; `shifts` moves the first feature from the hour of its key on."""
    rng = np.random.default_rng(seed)
    records, shift = [], 0.0
    for hour in range(count):
        shift = shifts.get(hour, shift)
        rows, given = vectors(rng, per_hour, shift), scores(rng, per_hour)
        for place in range(per_hour):
            time_ms = START_MS + hour * HOUR_MS + place * HOUR_MS // per_hour
            records.append(record(len(records), time_ms, rows[place].tolist(), float(given[place]), **fields))
    return records


class Run:
    """The step over state in memory; `counted` are its metrics."""

    def __init__(self, settings=ALL_OF_THEM, *, given=None, state=None):
        self.state = {} if state is None else state
        self.counted = {}
        self.watch = Watch(self.state.get, lambda _: given, settings, self._count)
        self.reports = []
        self.outputs = []

    def feed(self, records, batch=256):
        for start in range(0, len(records), batch):
            self.outputs += self.watch.step(records[start : start + batch])
            self.reports += self.watch.reports
            for key, value in self.watch.take_writes().items():
                if value is None:
                    self.state.pop(key, None)
                else:
                    self.state[key] = value
        return self

    def _count(self, metric, _value="", by=1):
        self.counted[metric.name] = self.counted.get(metric.name, 0) + by


def found(reports, name, measure="psi", segment="", hours=1):
    return [
        report
        for report in reports
        if (report.name, report.measure, report.segment) == (name, measure, segment)
        and report.window_end_ms - report.window_start_ms == hours * HOUR_MS
    ]

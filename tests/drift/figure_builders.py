"""Builders for tests of business figures: payments, interactions, and figures over state in memory."""

from __future__ import annotations

from collections import Counter

from schemas import codec
from schemas.events import Interaction
from schemas.topics import AGGREGATES, ANOMALIES, DECISIONS, INTERACTIONS
from schemas.units import MINUTE_MS
from schemas.watching import Aggregate, Anomaly
from serving.drift.anomalies import Anomalies
from serving.drift.figures import Figures
from serving.inflight import Record

# Monday, 00:00 UTC.
START_MS = 1_760_313_600_000


def nothing(_key):
    return None


class Shop:
    """Figures over state in memory."""

    def __init__(self, segments=(), state=None):
        self.state = {} if state is None else state
        self.gauges, self.counted = {}, Counter()
        self.figures = Figures(self.state.get, segments, self._count, self._gauge)

    def feed(self, records, batch=100):
        found = []
        for start in range(0, len(records), batch):
            found += self.figures.step(records[start : start + batch])
            for key, value in self.figures.take_writes().items():
                self.state[key] = value
            self.state = {key: value for key, value in self.state.items() if value is not None}
            self.figures._read = self.state.get
        aggregates = [codec.decode(Aggregate, o.value) for o in found if o.topic == AGGREGATES.name]
        return aggregates, [codec.decode(Anomaly, o.value) for o in found if o.topic == ANOMALIES.name]

    def _count(self, metric, _value="", by=1):
        self.counted[metric.name] += by

    def _gauge(self, _metric, value, label, within=""):
        self.gauges[(label, within) if within else label] = value


def paid(number, time_ms, cents=1000, decision="APPROVE", segment="", merchant="m"):
    raw = (
        f'{{"event_time_ms":{time_ms},"user_id":"u{number}","amount":{cents / 100},"decision":"{decision}",'
        f'"merchant_id":"{merchant}","segment":"{segment}"}}'
    )
    return Record(DECISIONS.name, 0, number, time_ms, b"u", raw.encode())


def acted(number, time_ms, kind, user="u", **fields):
    event = Interaction(event_id=f"e{number}", event_time_ms=time_ms, user_id=user, item_id="i1", kind=kind, **fields)
    return Record(INTERACTIONS.name, 0, number, time_ms, user.encode(), codec.encode(event))


def series(values, *, rooted=True):
    """The anomalies of a series of five-minute windows, by place."""
    watched = Anomalies(nothing)
    found = [
        watched.see("volume", value, START_MS + (n + 1) * 5 * MINUTE_MS, rooted=rooted)
        for n, value in enumerate(values)
    ]
    return [place for place, anomaly in enumerate(found) if anomaly is not None]

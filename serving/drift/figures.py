"""Business figures of the stream: what decisions and interactions add up to, and what is unusual in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar
from zlib import crc32

import msgspec

from schemas import codec, metrics
from schemas.errors import InvalidError
from schemas.topics import AGGREGATES, ANOMALIES, DECISIONS, INTERACTIONS, ITEMS
from schemas.units import MINUTE_MS
from schemas.watching import Aggregate, Anomaly
from serving.drift.aggregates import MEANS, RATES, WIDTH_MIN, Aggregates
from serving.drift.anomalies import Anomalies
from serving.drift.entity_series import EntitySeries
from serving.drift.sessions import Closed, Sessions
from serving.inflight import Output, Record
from serving.sealed import Read, Writes
from serving.stages import Count
from serving.user_stage import FUTURE_MS

WIDTH_MS = WIDTH_MIN * MINUTE_MS
ALL = ""
KINDS = {"APPROVE": "approved", "REVIEW": "reviewed", "CHALLENGE": "challenged", "BLOCK": "blocked"}
# A share of fewer events than this is too noisy to be judged.
MIN_EVENTS = 30
# Prices that are kept at hand; the others are read from state.
MAX_PRICES = 100_000
MERCHANT_VOLUME = "merchant_volume"
# No single event adds more, in units of its figure: sums of hundredths stay whole numbers of 64 bits.
MOST_ADDED = 1e9


class Gauge(Protocol):
    """Sets a gauge under a label, and under a second one where its metric has that."""

    def __call__(self, metric: metrics.Metric, value: int, label: str, within: str = "", /) -> None: ...


class Paid(msgspec.Struct, gc=False):
    """A decision, as far as figures need it."""

    event_time_ms: int
    user_id: str
    amount: float
    decision: str
    merchant_id: str
    segment: str = ""
    repeat: bool = False


class Acted(msgspec.Struct, gc=False):
    """An interaction, as far as figures need it."""

    event_time_ms: int
    user_id: str
    item_id: str
    kind: str
    value: float = 0.0
    position: int | None = None
    context: dict[str, str] = {}


class Priced(msgspec.Struct, gc=False):
    """A catalogue entry, as far as figures need it."""

    item_id: str
    price: float = 0.0


E = TypeVar("E", Paid, Acted)

_paid = msgspec.json.Decoder(Paid)
_acted = msgspec.json.Decoder(Acted)
_priced = msgspec.json.Decoder(Priced)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Figures:
    """Figures, sessions and anomalies. `segments` are those that are told apart, beside all traffic."""

    def __init__(self, read: Read, segments: Sequence[str], count: Count, gauge: Gauge) -> None:
        self._read = read
        self._segments = frozenset(segments)
        self._count = count
        self._gauge = gauge
        # Payments and interactions have a clock each: one that is played back must not hold up or close the other.
        self._payments = Aggregates("payments", read, "active_users")
        self._shop = Aggregates("shop", read, "active_shoppers")
        self._sessions = Sessions(read)
        self._anomalies = Anomalies(read)
        self._merchants = EntitySeries(read)
        self._acted_ms = self._swept_min = 0
        self._waiting: list[Output] = []
        self._prices: dict[str, float] = {}
        self._priced: Writes = {}

    def step(self, records: Sequence[Record]) -> list[Output]:
        """Add a batch up; what cannot be read is left out here: the flow that needs all of it has reported it."""
        for record in records:
            try:
                if record.topic == DECISIONS.name:
                    self._pay(_in_time(_paid.decode(record.value or b""), record))
                elif record.topic == INTERACTIONS.name:
                    self._act(_in_time(_acted.decode(record.value or b""), record))
                elif record.topic == ITEMS.name:
                    self._price(_priced.decode(record.value or b""))
            except (InvalidError, *_UNREADABLE):
                self._count(metrics.LEFT_OUT)
        outputs: list[Output] = []
        for of in (self._payments, self._shop):
            for figure in of.close():
                outputs.append(_output(AGGREGATES.name, figure.told))
                outputs += self._judge(figure.told, figure.error)
        outputs += self._waiting
        self._waiting = []
        self._count(metrics.LEFT_OUT, "", self._sessions.left_out)
        self._sessions.left_out = 0
        return outputs

    def take_writes(self) -> Writes:
        """State that changed since the last call."""
        writes: Writes = dict(self._priced)
        self._priced = {}
        for part in (self._payments, self._shop, self._sessions, self._anomalies, self._merchants):
            writes |= part.take_writes()
        return writes

    def _pay(self, paid: Paid) -> None:
        if paid.repeat:
            return
        at = paid.event_time_ms
        cents = _hundredths(paid.amount)
        self._payments.see(at)
        for counted in self._merchants.close(at):
            self._waiting += self._unusual(
                self._anomalies.see(MERCHANT_VOLUME, counted.events, counted.end_ms, entity=counted.entity)
            )
        self._merchants.add(paid.merchant_id, at)
        sums = [("volume", 100), ("amount", cents)]
        if paid.decision in KINDS:
            sums.append((KINDS[paid.decision], 100))
        if self._add(self._payments, sums, paid.segment, at):
            self._payments.meet(paid.user_id, at)

    def _act(self, acted: Acted) -> None:
        at = acted.event_time_ms
        # Before anything is counted of it: one that is left out is left out whole.
        sums = [("interactions", 100), *self._worth(acted)]
        segment_of = acted.context.get("segment", "")
        self._acted_ms = max(self._acted_ms, at)
        self._shop.see(at)
        if at // MINUTE_MS > self._swept_min:
            self._swept_min = at // MINUTE_MS
            for session in self._sessions.close(self._acted_ms):
                self._end(session)
        for session in self._sessions.add(crc32(acted.user_id.encode()), acted.user_id, segment_of, at):
            self._end(session)
        if self._add(self._shop, sums, segment_of, at):
            self._shop.meet(acted.user_id, at)

    def _worth(self, acted: Acted) -> list[tuple[str, int]]:
        """What an interaction adds beside itself, by its kind. Raises InvalidError for a value that can not be."""
        if acted.kind == "view" and acted.position is not None:
            return [("impressions", 100)]
        if acted.kind == "click":
            return [("clicks", 100)]
        if acted.kind == "purchase":
            # Pieces; one where nobody said how many.
            money = (acted.value or 1.0) * self._price_of(acted.item_id)
            return [("purchases", 100), ("revenue", _hundredths(money))]
        # Nothing is not said, as with purchases.
        if acted.kind == "time_spent" and acted.value:
            if acted.value < 0:
                raise InvalidError(f"{acted.value:g} seconds are less than none", "range")
            return [("engagements", 100), ("engagement_seconds_sum", _hundredths(acted.value))]
        return []

    def _end(self, session: Closed) -> None:
        # A session is counted when it is over, in the minute in which nothing can be added to it any more.
        at = max(self._acted_ms, session.end_ms)
        sums = [
            ("sessions", 100),
            ("session_seconds_sum", (session.end_ms - session.start_ms) // 10),
            ("session_events_sum", 100 * session.events),
        ]
        self._add(self._shop, sums, session.segment, at)

    def _price(self, priced: Priced) -> None:
        self._remember(priced.item_id, priced.price)
        self._priced[f"price/{priced.item_id}"] = str(priced.price).encode()

    def _price_of(self, item_id: str) -> float:
        found = self._prices.get(item_id)
        if found is None:
            raw = self._read(f"price/{item_id}")
            found = 0.0 if raw is None else float(raw)
            self._remember(item_id, found)
        return found

    def _remember(self, item_id: str, price: float) -> None:
        if len(self._prices) >= MAX_PRICES:
            del self._prices[next(iter(self._prices))]
        self._prices[item_id] = price

    def _add(self, to: Aggregates, sums: Sequence[tuple[str, int]], segment: str, time_ms: int) -> bool:
        """Whether what one event adds was taken; one that is left out is counted once."""
        kept = [to.add(name, of, time_ms, hundredths) for of in self._of(segment) for name, hundredths in sums]
        if not all(kept):
            self._count(metrics.LEFT_OUT)
        return all(kept)

    def _of(self, segment: str) -> tuple[str, ...]:
        return (ALL, segment) if segment in self._segments else (ALL,)

    def _judge(self, aggregate: Aggregate, error: float) -> list[Output]:
        milli = round(1000 * aggregate.value)
        if aggregate.segment == ALL:
            self._gauge(metrics.AGGREGATE, milli, aggregate.name)
        else:
            self._gauge(metrics.AGGREGATE_BY_SEGMENT, milli, aggregate.name, aggregate.segment)
        # Windows that overlap would tell the same thing five times.
        rate = aggregate.name in RATES
        if aggregate.window_end_ms % WIDTH_MS or (rate and aggregate.count < MIN_EVENTS):
            return []
        return self._unusual(
            self._anomalies.see(
                aggregate.name,
                aggregate.value,
                aggregate.window_end_ms,
                error=error,
                segment=aggregate.segment,
                rooted=not rate,
                mean=aggregate.name in MEANS,
            )
        )

    def _unusual(self, anomaly: Anomaly | None) -> list[Output]:
        if anomaly is None:
            return []
        self._count(metrics.ANOMALIES, anomaly.name)
        return [_output(ANOMALIES.name, anomaly)]


def _in_time(event: E, record: Record) -> E:
    """Raises InvalidError for an event of the future: it would close the windows of everybody."""
    if event.event_time_ms > record.arrival_ms + FUTURE_MS:
        raise InvalidError("event time is ahead of its arrival", "future")
    return event


def _hundredths(value: float) -> int:
    """Raises InvalidError for what would be no sum any more."""
    if not abs(value) <= MOST_ADDED:
        raise InvalidError(f"{value:g} is beyond {MOST_ADDED:g}", "range")
    return round(100 * value)


def _output(topic: str, event: Aggregate | Anomaly) -> Output:
    return Output(topic, event.name.encode(), codec.encode(event))

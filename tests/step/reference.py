"""The scoring step once more, from its definitions: every payment scans everything that came before it.

Nothing here is incremental and nothing is shared with the implementation but ids, defaults and units.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from schemas.events import Label, Transaction
from serving.features.catalogue import DEFAULTS, FEATURES
from serving.inflight import Record

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SHORT = {"5min": 5 * MINUTE, "30min": 30 * MINUTE, "1h": HOUR, "24h": DAY}
LATENESS = HOUR
FUTURE = 5 * MINUTE
# What the windows are sure to hold: a payment that comes later than LATENESS sees at least this.
SURE = DAY + LATENESS
NEVER_S = 40 * 86_400
OTHERS = {"user": "merchants", "merchant": "users", "device": "users", "card": "merchants"}


@dataclass(frozen=True)
class Between:
    """Any value from `low` to `high`: what a payment sees of windows that have forgotten part of its past."""

    low: float
    high: float


Value = float | Between


@dataclass(frozen=True)
class Paid:
    """A payment that an entity counted. `in_order` says that it was the newest when it came."""

    tx: Transaction
    cents: int
    other: str
    in_order: bool


@dataclass
class Known:
    """All that ever happened to one entity, in the order of arrival."""

    paid: list[Paid] = field(default_factory=list)
    fraud_hours: list[int] = field(default_factory=list)
    newest_hour: int = -1

    @property
    def newest(self) -> int | None:
        return max((p.tx.event_time_ms for p in self.paid), default=None)


@dataclass(frozen=True)
class Expected:
    """What a record becomes: a decision, a label taken, or (with `reason`) a dead letter."""

    reason: str = ""
    label: bool = False
    event_id: str = ""
    repeat: bool = False
    lateness_ms: int = 0
    features: dict[str, Value] = field(default_factory=dict)

    @property
    def late(self) -> bool:
        return self.lateness_ms > LATENESS


@dataclass
class Told:
    """All labels about a payment since the first that called it fraud, and where it is counted as one."""

    transaction_id: str
    labels: list[Label] = field(default_factory=list)
    counted: tuple[Known, int] | None = None

    @property
    def last_word(self) -> Label | None:
        """That of the label known last; at the same time, the one that takes a fraud back."""
        return max(self.labels, key=lambda label: (label.event_time_ms, not label.is_fraud), default=None)

    @property
    def is_fraud(self) -> bool:
        return self.last_word is not None and self.last_word.is_fraud


class Reference:
    """Takes records one by one; `ids`, `tags`, `frauds`: how many events, merchants, frauds a user remembers."""

    def __init__(self, ids: int = 16, tags: int = 64, frauds: int = 16) -> None:
        self._ids, self._tags, self._frauds = ids, tags, frauds
        self._known: dict[tuple[str, str], Known] = {}
        self._remembered: dict[str, list[str]] = {}
        self._told: dict[str, list[Told]] = {}

    def take(self, record: Record, event: Transaction | Label | str) -> Expected:
        """`event` is what the record's bytes say, or the reason why they say nothing."""
        if isinstance(event, str):
            return Expected(reason=event)
        if record.key != event.user_id.encode():
            return Expected(reason="wrong_key")
        times = [event.event_time_ms]
        if isinstance(event, Label):
            times.append(event.transaction_time_ms)
        if any(time > record.arrival_ms + FUTURE for time in times):
            return Expected(reason="future")
        return self._label(event) if isinstance(event, Label) else self._payment(event)

    def _label(self, label: Label) -> Expected:
        all_told = self._told.setdefault(label.user_id, [])
        told = next((t for t in all_told if t.transaction_id == label.transaction_id), None)
        if told is None:
            if not label.is_fraud:
                return Expected(label=True)
            told = Told(label.transaction_id)
        before = told.is_fraud
        told.labels.append(label)
        if told.is_fraud and not before:
            self._count_fraud(told, label)
        if before and not told.is_fraud:
            self._take_back(told)
        if told.last_word is label:
            self._told[label.user_id] = [*(t for t in all_told if t is not told), told][-self._frauds :]
        return Expected(label=True)

    def _count_fraud(self, told: Told, label: Label) -> None:
        if label.merchant_id:
            merchant = self._of("merchant", label.merchant_id)
            hour = label.transaction_time_ms // HOUR
            if merchant.newest_hour < 0 or hour >= merchant.newest_hour - 889:
                merchant.fraud_hours.append(hour)
                merchant.newest_hour = max(merchant.newest_hour, hour)
                told.counted = merchant, hour

    def _take_back(self, told: Told) -> None:
        if told.counted is not None:
            merchant, hour = told.counted
            merchant.fraud_hours.remove(hour)
            told.counted = None

    def _payment(self, tx: Transaction) -> Expected:
        repeat = self._seen_before(tx.user_id, tx.event_id)
        newest = self._of("user", tx.user_id).newest
        lateness = max(0, newest - tx.event_time_ms) if newest is not None else 0
        features: dict[str, Value] = payment(tx)
        ids = {"user": tx.user_id, "merchant": tx.merchant_id, "device": tx.device_id, "card": tx.card_id}
        for kind, entity_id in ids.items():
            if entity_id is None:
                features |= dict(zip([f.name for f in FEATURES[kind]], DEFAULTS[kind], strict=True))
            else:
                features |= self._entity(kind, self._of(kind, entity_id), tx, repeat)
        return Expected(event_id=tx.event_id, repeat=repeat, lateness_ms=lateness, features=features)

    def _entity(self, kind: str, known: Known, tx: Transaction, repeat: bool) -> dict[str, Value]:
        time, newest = tx.event_time_ms, known.newest
        too_late = newest is not None and time < newest - LATENESS
        in_order = newest is None or time >= newest
        before = list(known.paid)
        other = tx.merchant_id if OTHERS[kind] == "merchants" else tx.user_id
        if not repeat and not too_late:
            known.paid.append(Paid(tx, round(tx.amount * 100), other, in_order))
            known.newest_hour = max(known.newest_hour, time // HOUR)
        found = windows(kind, known.paid, time)
        if too_late:
            sure = windows(kind, [p for p in known.paid if p.tx.event_time_ms >= newest - SURE], time)
            found = {name: between(name, sure[name], value) for name, value in found.items()}
        found |= tiles(kind, known.paid, time)
        found |= recency(kind, before, time, newest if too_late else None)
        if kind in {"user", "merchant"}:
            found |= deviation(kind, before, tx.amount)
        if kind == "merchant":
            found |= reputation(known, time)
        if kind == "user":
            found |= travel(before, tx, in_order and not repeat) | habit(before, tx, self._tags)
        return found

    def _seen_before(self, user_id: str, key: str) -> bool:
        keys = self._remembered.setdefault(user_id, [])
        if key in keys[-self._ids :]:
            return True
        keys.append(key)
        return False

    def _of(self, kind: str, entity_id: str) -> Known:
        return self._known.setdefault((kind, entity_id), Known())


def payment(tx: Transaction) -> dict[str, Value]:
    minutes = tx.event_time_ms // MINUTE + tx.utc_offset_min
    hour, weekday = minutes // 60 % 24, (minutes // (60 * 24) + 3) % 7
    return {
        "amount": tx.amount,
        "hour": hour,
        "day_of_week": weekday,
        "is_weekend": weekday >= 5,
        "is_night": hour <= 6,
        "day_of_month": local_date(tx).day,
        "month": local_date(tx).month,
    }


def local_date(tx: Transaction) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=tx.event_time_ms, minutes=tx.utc_offset_min)


def windows(kind: str, paid: list[Paid], time: int) -> dict[str, Value]:
    found: dict[str, Value] = {}

    def inside(width: int) -> list[Paid]:
        return [p for p in paid if time - width < p.tx.event_time_ms <= time]

    for name, width in SHORT.items():
        cents = [p.cents for p in inside(width)]
        found[f"{kind}_count_{name}"] = len(cents)
        found[f"{kind}_sum_{name}"] = sum(cents) / 100
        found[f"{kind}_mean_{name}"] = sum(cents) / 100 / len(cents) if cents else 0.0
        found[f"{kind}_max_{name}"] = max(cents, default=0) / 100
    found[f"{kind}_distinct_{OTHERS[kind]}_24h"] = len({p.other for p in inside(DAY)})
    found[f"{kind}_high_count_5min"] = sum(p.cents > 100_000 for p in inside(5 * MINUTE))
    found[f"{kind}_tiny_count_30min"] = sum(p.cents <= 500 for p in inside(30 * MINUTE))
    return found


def between(name: str, sure: Value, whole: Value) -> Value:
    if sure == whole:
        return whole
    assert not isinstance(sure, Between)
    assert not isinstance(whole, Between)
    return Between(0.0, math.inf) if "_mean_" in name else Between(sure, whole)


def tiles(kind: str, paid: list[Paid], time: int) -> dict[str, Value]:
    """Whole days; of the oldest day the share that the window still covers; 32 days are kept."""
    found: dict[str, Value] = {}
    by_day: dict[int, list[int]] = {}
    for p in paid:
        by_day.setdefault(p.tx.event_time_ms // DAY, []).append(p.cents)
    last = max(by_day, default=0)
    by_day = {day: cents for day, cents in by_day.items() if day >= last - 31}
    today, share = time // DAY, 1 - time % DAY / DAY
    for width in (7, 30):
        whole = [c for day, cents in by_day.items() if today - width < day <= today for c in cents]
        oldest = by_day.get(today - width, [])
        count = len(whole) + len(oldest) * share
        total = (sum(whole) + sum(oldest) * share) / 100
        found[f"{kind}_count_{width}d"] = count
        found[f"{kind}_sum_{width}d"] = total
        found[f"{kind}_mean_{width}d"] = total / count if count else 0.0
        found[f"{kind}_max_{width}d"] = max(whole + oldest, default=0) / 100
    return found


def recency(kind: str, before: list[Paid], time: int, too_late_for: int | None) -> dict[str, Value]:
    earlier = [p.tx.event_time_ms for p in before if p.tx.event_time_ms <= time]
    since = min((time - max(earlier)) / SECOND, NEVER_S) if earlier else NEVER_S
    forgotten = too_late_for is not None and (not earlier or max(earlier) < too_late_for - SURE)
    first = before[0].tx.event_time_ms if before else time
    return {
        f"{kind}_seconds_since_last": Between(since, NEVER_S) if forgotten else since,
        f"{kind}_age_days": max(0.0, (time - first) / DAY),
    }


def deviation(kind: str, before: list[Paid], amount: float) -> dict[str, Value]:
    """Every earlier amount weighs 2^-(age / 30 days); an event out of order counts as if it came with the newest."""
    mean, spread = 100.0, 50.0
    seen = [max(p.tx.event_time_ms for p in before[: i + 1]) for i in range(len(before))]
    weights = [0.5 ** ((seen[-1] - at) / (30 * DAY)) for at in seen]
    total = math.fsum(weights)
    if total > 1:
        amounts = [p.tx.amount for p in before]
        mean = math.fsum(w * a for w, a in zip(weights, amounts, strict=True)) / total
        square = math.fsum(w * (a - mean) ** 2 for w, a in zip(weights, amounts, strict=True))
        spread = max(math.sqrt(square / total), 1.0)
    return {
        f"{kind}_amount_mean": mean,
        f"{kind}_amount_zscore": max(-100.0, min(100.0, (amount - mean) / spread)),
        f"{kind}_amount_ratio": min(1000.0, amount / max(mean, 0.01)),
    }


def reputation(known: Known, time: int) -> dict[str, Value]:
    """By whole hours, seven days behind; an hour with as many known frauds as payments is all fraud."""
    found: dict[str, Value] = {}
    oldest = known.newest_hour - 889
    paid = Counter(h for p in known.paid if (h := p.tx.event_time_ms // HOUR) >= oldest)
    frauds = Counter(h for h in known.fraud_hours if h >= oldest)
    now = time // HOUR
    end = (time - 7 * DAY) // HOUR
    for days in (1, 7, 30):
        count = sum(n for h, n in paid.items() if end - days * 24 < h <= end)
        bad = sum(n for h, n in frauds.items() if end - days * 24 < h <= end)
        found[f"merchant_delayed_count_{days}d"] = count
        found[f"merchant_delayed_frauds_{days}d"] = bad
        found[f"merchant_delayed_fraud_share_{days}d"] = min(1.0, bad / count) if count else 0.0
    run, began, good = 0, 0.0, 889 / 24
    for hour in sorted(paid.keys() | frauds.keys(), reverse=True):
        if hour > end or hour < now - 889:
            continue
        if frauds[hour] < paid[hour]:
            good = (now - hour) / 24
            break
        run += paid[hour]
        # The run is one of payments: a fraud of which none came by here does not begin it.
        if paid[hour]:
            began = (now - hour) / 24
    found["merchant_fraud_run"] = run
    found["merchant_fraud_run_days"] = began if run else 0.0
    found["merchant_days_since_good"] = good
    return found


def travel(before: list[Paid], tx: Transaction, in_order: bool) -> dict[str, Value]:
    km = kmh = impossible = unusual = 0.0
    places = [p.tx for p in before if p.in_order and p.tx.lat is not None and p.tx.lon is not None]
    if in_order and places and tx.lat is not None and tx.lon is not None:
        last = places[-1]
        km = great_circle_km(last.lat, last.lon, tx.lat, tx.lon)
        ms = tx.event_time_ms - last.event_time_ms
        kmh = min(km / (max(ms, 1) / HOUR), 100_000.0)
        impossible = km > 1000 and ms < 2 * HOUR
        unusual = km > 500
    return {
        "user_distance_km": km,
        "user_speed_kmh": kmh,
        "user_impossible_travel": impossible,
        "user_unusual_location": unusual,
    }


def great_circle_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Through the chord between the two points of the unit sphere."""

    def point(north: float, east: float) -> tuple[float, float, float]:
        a, b = math.radians(north), math.radians(east)
        return math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)

    chord = math.dist(point(lat, lon), point(other_lat, other_lon))
    return 2 * 6371.0088 * math.asin(min(1.0, chord / 2))


def habit(before: list[Paid], tx: Transaction, tags: int) -> dict[str, Value]:
    hour = payment(tx)["hour"]
    hours = [payment(p.tx)["hour"] for p in before]
    near = sum((h - hour) % 24 in {23, 0, 1} for h in hours)
    merchants = [p.tx.merchant_id for p in before]
    devices = [p.tx.device_id for p in before if p.tx.device_id is not None]
    countries = [p.tx.merchant_country for p in before if p.tx.merchant_country is not None]
    visits = visits_among_last(merchants, tx.merchant_id, tags)
    return {
        "user_hour_share": near / len(hours) if hours else 0.0,
        "user_merchant_visits": visits,
        "user_new_merchant": visits == 0,
        "user_new_device": tx.device_id is not None and not visits_among_last(devices, tx.device_id, tags),
        "user_new_country": tx.merchant_country is not None
        and not visits_among_last(countries, tx.merchant_country, tags),
        "user_unusual_time": not is_typical(hour, hours),
    }


def is_typical(hour: int, hours: list[int]) -> bool:
    """Hours that hold their even share of a user's payments are typical; until there are ten, six hours are."""
    if len(hours) < 10:
        return hour in {9, 10, 11, 14, 15, 16}
    return hours.count(hour) / len(hours) >= 1 / 24


def visits_among_last(seen: list[str], wanted: str, tags: int) -> int:
    """Visits since `wanted` was last forgotten: whatever is not among the last `tags` different ones is forgotten."""
    visits, between_visits = 0, set()
    for one in reversed(seen):
        if one == wanted:
            visits += 1
            between_visits = set()
            continue
        between_visits.add(one)
        if len(between_visits) >= tags:
            break
    return visits

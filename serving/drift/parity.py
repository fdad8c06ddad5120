"""Train-serve skew, continuously: some users' payments are computed again from the log and compared with what was used.

The step is the user stage that training reads history with, too, over a state of its own. It sees the payments of those
users alone, so it can know the features of the payment and of the user; those of merchant, device and card would need
everybody's payments. A user is compared from the first payment on: one who had a history before the check began is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TypeVar

import msgspec
import numpy as np

from schemas import metrics
from schemas.errors import EventError, StateVersionError
from schemas.topics import DECISIONS
from schemas.units import HOUR_MS
from schemas.watching import DriftReport
from serving.drift.answers import Decided, read_decision
from serving.drift.hysteresis import Held, held
from serving.entity_cache import EntityCache
from serving.features.catalogue import FEATURE_SET, FEATURES, NAMES
from serving.inflight import Payment, Record
from serving.sealed import Read, Writes
from serving.stages import Count
from serving.user_stage import UserStage

VERSION = 1
KEY = "parity"
# What a user's own payments determine; it stands in front of the vector.
OWN = NAMES[: sum(len(FEATURES[kind]) for kind in ("transaction", "user"))]
# What tells together that a user had a history. One alone may be what is served wrong for everybody, and must not
# excuse itself.
WITNESSES = [OWN.index(name) for name in ("user_seconds_since_last", "user_age_days")]
TOLERANCE = 1e-6
# DRF-12: the share of payments that differ.
LIMITS = (0.01, 0.05)
# Payments that wait for their decision, and decisions that wait for their payment; the oldest go.
MAX_WAITING = 10_000
MIN_COMPARED = 20
ANY = "any"

T = TypeVar("T")


class Kept(msgspec.Struct, array_like=True):
    """The hour that is counted, and what of each side waits for the other. `users`: True = compared, False = not."""

    version: int = VERSION
    start_ms: int = 0
    compared: int = 0
    differing: dict[str, int] = {}
    model: str = ""
    levels: dict[str, Held] = {}
    payments: dict[str, bytes] = {}
    decided: dict[str, tuple[list[float | None], str, str, int]] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Kept)


class Parity:
    """The check, over the records of a sample of users, by key: payments, labels, decisions."""

    def __init__(self, read: Read, cached: int, count: Count) -> None:
        self._read = read
        self._count = count
        self._entities = EntityCache(read, cached)
        # What the stage counts, the scoring job counts, too: once is enough.
        self._stage = UserStage(_nothing, lambda: 0)
        raw = read(KEY)
        self._kept = Kept() if raw is None else _decoder.decode(raw)
        if self._kept.version != VERSION:
            raise StateVersionError(f"parity, version {self._kept.version}: this release reads {VERSION}")
        self._forget_other_vectors()
        self._users: Writes = {}
        self._known: dict[str, bool] = {}
        self._changed = False

    def step(self, records: Sequence[Record]) -> Iterator[DriftReport]:
        """Compare what can be compared by now; reports of the hours that are over."""
        for record in records:
            if record.topic == DECISIONS.name:
                try:
                    decided = read_decision(record)
                except EventError:
                    continue  # the job's other flow reports it
                yield from self._decided(decided)
        sources = [record for record in records if record.topic != DECISIONS.name]
        if sources:
            for message in self._stage.step(sources, self._entities):
                if isinstance(message, Payment) and not message.repeat:
                    self._paid(message)
        self._changed = self._changed or bool(records)

    def take_writes(self) -> Writes:
        """What changed since the last call."""
        writes: Writes = dict(self._entities.take_writes())
        writes |= self._users
        self._users = {}
        if self._changed:
            writes[KEY] = _encoder.encode(self._kept)
            self._changed = False
        return writes

    def _forget_other_vectors(self) -> None:
        """What waits since a release with another feature set can not be compared with what comes."""
        kept = self._kept
        kept.payments = {event_id: values for event_id, values in kept.payments.items() if len(values) == 8 * len(OWN)}
        kept.decided = {event_id: held for event_id, held in kept.decided.items() if len(held[0]) == len(NAMES)}

    def _decided(self, decided: Decided) -> Iterator[DriftReport]:
        kept = self._kept
        hour_ms = decided.event_time_ms - decided.event_time_ms % HOUR_MS
        if hour_ms > kept.start_ms:
            yield from self._close(hour_ms)
        if decided.repeat or decided.feature_set != FEATURE_SET or len(decided.features) != len(NAMES):
            return
        values = kept.payments.pop(decided.event_id, None)
        if values is None:
            _keep(kept.decided, decided.event_id, (decided.features, decided.user_id, decided.model, hour_ms))
        else:
            self._compare(decided.user_id, decided.model, decided.features, values)

    def _paid(self, payment: Payment) -> None:
        waiting = self._kept.decided.pop(payment.event_id, None)
        values = payment.values[: 8 * len(OWN)]
        if waiting is None:
            _keep(self._kept.payments, payment.event_id, values)
        else:
            features, user_id, model, _ = waiting
            self._compare(user_id, model, features, values)

    def _compare(self, user_id: str, model: str, used: list[float | None], computed: bytes) -> None:
        theirs = np.array(used[: len(OWN)], np.float64)
        ours = np.frombuffer(computed, np.float64)
        differ = ~np.isclose(theirs, ours, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        if not self._compared(user_id, bool(differ[WITNESSES].all())):
            return
        self._kept.compared += 1
        self._kept.model = model
        self._count(metrics.PARITY_COMPARED)
        for place in np.flatnonzero(differ).tolist():
            name = OWN[place]
            self._kept.differing[name] = self._kept.differing.get(name, 0) + 1
            self._count(metrics.PARITY_MISMATCHES, name)
        if differ.any():
            self._kept.differing[ANY] = self._kept.differing.get(ANY, 0) + 1

    def _compared(self, user_id: str, differs: bool) -> bool:
        """Whether the user is one whose whole history the check has seen: it shows with the first payment."""
        known = self._known.get(user_id)
        if known is None:
            raw = self._read(f"{KEY}/{user_id}")
            known = (not differs) if raw is None else raw == b"1"
            if raw is None:
                self._users[f"{KEY}/{user_id}"] = b"1" if known else b"0"
            if len(self._known) >= MAX_WAITING:
                self._known.clear()
            self._known[user_id] = known
        return known

    def _close(self, hour_ms: int) -> Iterator[DriftReport]:
        """Reports of the hour before, if it compared enough; the features that differ, and all together."""
        kept = self._kept
        names = sorted({ANY, *kept.differing, *kept.levels}) if kept.compared >= MIN_COMPARED else []
        for name in names:
            value = kept.differing.get(name, 0) / kept.compared
            after = kept.levels[name] = held(kept.levels.get(name, Held()), value, LIMITS, hour_ms)
            yield DriftReport(
                event_id=sha256(f"skew/{name}/{hour_ms}".encode()).hexdigest()[:32],
                event_time_ms=hour_ms,
                model=kept.model,
                subject="skew",
                name=name,
                measure="mismatch_share",
                value=value,
                limit=LIMITS[1],
                level=after.level,
                samples=kept.compared,
                window_start_ms=kept.start_ms,
                window_end_ms=hour_ms,
                since_ms=after.since_ms,
            )
        if names or not kept.start_ms:
            kept.compared, kept.differing = 0, {}
            kept.start_ms = hour_ms


def _keep(waiting: dict[str, T], event_id: str, what: T) -> None:
    """Of two answers to one payment the first was acted on."""
    if event_id in waiting:
        return
    if len(waiting) >= MAX_WAITING:
        del waiting[next(iter(waiting))]
    waiting[event_id] = what


def _nothing(*_: object) -> None:
    """Count nothing."""

"""The port of the online store: what is true of an entity now, ordered by event time.

Every write carries its event time. An older one never replaces a newer one, an equal one replaces it,
so any part of the log may be replayed. Every value has a time to live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from schemas.errors import InvalidError
from schemas.events import Decision, DecisionKind, EntityFeatures, RuleHit
from schemas.units import DAY_MS
from serving.stores.ids import MAX_STATE_KEY_CHARS, id_bytes

MAX_TIME_MS = 4_102_444_800_000
RECENT_DECISIONS = 50
RECENT_WINDOW_MS = DAY_MS


class StoredFeatures(msgspec.Struct, frozen=True):
    """The newest features of one entity in catalogue order; `event_time_ms` is None when they are the defaults."""

    entity: str
    entity_id: str
    values: list[float]
    event_time_ms: int | None = None


class RecentDecision(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision of the last day, short: enough to show and to count, one per event id."""

    event_id: str
    event_time_ms: int
    decision: DecisionKind
    score: float
    amount: float
    merchant_id: str
    reasons: list[str] = []
    rules: list[RuleHit] = []


class Freshness(msgspec.Struct, frozen=True):
    """How far the store is: the newest event time written, and the wall time of the newest write, in ms."""

    event_time_ms: int
    written_ms: int

    def after(self, other: Freshness | None) -> Freshness:
        """The later of each time of the two."""
        if other is None:
            return self
        return Freshness(max(self.event_time_ms, other.event_time_ms), max(self.written_ms, other.written_ms))


class StateReader(Protocol):
    """Where an on-demand step reads the packed state that the stream wrote."""

    def read_state(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The state of each key that exists, in one round trip. Raises StoreError."""
        ...


class OnlineStore(StateReader, Protocol):
    """Latest features and packed state per entity, recent decisions per user.

    Every method raises StoreError when the store is down and InvalidError for an id or entity it can not hold.
    """

    def write(self, updates: Sequence[EntityFeatures]) -> None:
        """Put features and state of each update, in order.

        Empty values leave the features as they are; a state value of None deletes its key.
        """
        ...

    def read_features(self, entity: str, ids: Sequence[str]) -> list[StoredFeatures]:
        """One result per id, in their order; a missing entity has the catalogue's defaults."""
        ...

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        """Put each decision into its user's recent list, once per event id."""
        ...

    def recent_decisions(self, user_id: str) -> list[RecentDecision]:
        """Newest first: at most RECENT_DECISIONS, none older than the newest by RECENT_WINDOW_MS."""
        ...

    def mark(self, freshness: Freshness) -> None:
        """Move the freshness marker; neither of its times ever goes back."""
        ...

    def freshness(self) -> Freshness | None:
        """The marker; None before the first write."""
        ...

    def check(self) -> None:
        """Raises StoreError when the store does not answer."""
        ...

    def close(self) -> None:
        """Give the connections back."""
        ...


class Catalogue(msgspec.Struct, frozen=True):
    """What the online store is handed of the feature catalogue.

    `defaults` are the values of an unknown entity by entity kind, `ttl_s` the seconds its features and state
    live without an event, `decisions_ttl_s` the same for a user's recent decisions.
    """

    feature_set: str
    defaults: Mapping[str, list[float]]
    ttl_s: Mapping[str, int]
    decisions_ttl_s: int = 7 * 24 * 3600

    def length(self, entity: str) -> int:
        """How many values the entity kind has. Raises InvalidError for a kind the catalogue does not know."""
        if entity not in self.defaults:
            raise InvalidError(f"entity kind {entity!a} is not in feature set {self.feature_set}; known: {self.kinds}")
        return len(self.defaults[entity])

    @property
    def kinds(self) -> str:
        """The entity kinds as one line of text."""
        return ", ".join(sorted(self.defaults))

    def check(self, update: EntityFeatures) -> None:
        """Raises InvalidError when a store could not hold the update."""
        length = self.length(update.entity)
        if len(update.values) not in (0, length):
            raise InvalidError(
                f"{len(update.values)} values for a {update.entity}, feature set {self.feature_set} has {length}"
            )
        if not 0 <= update.event_time_ms < MAX_TIME_MS:
            raise InvalidError(f"event_time_ms {update.event_time_ms} is outside 1970..2100")
        id_bytes(f"{update.entity} id", update.entity_id)
        for key in update.state:
            id_bytes("state key", key, MAX_STATE_KEY_CHARS)


def recent(decision: Decision) -> RecentDecision:
    """The short form of a decision."""
    return RecentDecision(
        event_id=decision.event_id,
        event_time_ms=decision.event_time_ms,
        decision=decision.decision,
        score=decision.score,
        amount=decision.amount,
        merchant_id=decision.merchant_id,
        reasons=decision.reasons,
        rules=decision.rules,
    )

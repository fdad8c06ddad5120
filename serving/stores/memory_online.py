"""The online store's twin in memory: the same answers without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas.events import Decision, EntityFeatures
from serving.stores.history import check_ids
from serving.stores.ids import MAX_STATE_KEY_CHARS, id_bytes
from serving.stores.online import (
    RECENT_DECISIONS,
    RECENT_WINDOW_MS,
    Catalogue,
    Freshness,
    RecentDecision,
    StoredFeatures,
    recent,
)


class MemoryOnline:
    """An OnlineStore in dictionaries. `clock` gives wall time in ms and ends the time to live."""

    def __init__(self, catalogue: Catalogue, clock: Callable[[], int]) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._features: dict[tuple[str, str], tuple[EntityFeatures, int]] = {}
        self._state: dict[str, tuple[int, bytes | None, int]] = {}
        self._recent: dict[str, tuple[dict[tuple[int, str], RecentDecision], int]] = {}
        self._freshness: Freshness | None = None

    def write(self, updates: Sequence[EntityFeatures]) -> None:
        for update in updates:
            self._catalogue.check(update)
        for update in updates:
            expires_ms = self._clock() + self._catalogue.ttl_s[update.entity] * 1000
            name = (update.entity, update.entity_id)
            held = self._features.get(name)
            free = held is None or held[1] <= self._clock() or held[0].event_time_ms <= update.event_time_ms
            if update.values and free:
                self._features[name] = (update, expires_ms)
            for key, value in update.state.items():
                kept = self._state.get(key)
                if kept is None or kept[2] <= self._clock() or kept[0] <= update.event_time_ms:
                    self._state[key] = (update.event_time_ms, value, expires_ms)

    def read_features(self, entity: str, ids: Sequence[str]) -> list[StoredFeatures]:
        self._catalogue.length(entity)
        return [self._read(entity, entity_id) for entity_id in ids]

    def _read(self, entity: str, entity_id: str) -> StoredFeatures:
        id_bytes(f"{entity} id", entity_id)
        held = self._features.get((entity, entity_id))
        if held is None or held[1] <= self._clock():
            return StoredFeatures(entity, entity_id, list(self._catalogue.defaults[entity]))
        return StoredFeatures(entity, entity_id, list(held[0].values), held[0].event_time_ms)

    def read_state(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for key in keys:
            id_bytes("state key", key, MAX_STATE_KEY_CHARS)
            held = self._state.get(key)
            if held is not None and held[1] is not None and held[2] > self._clock():
                found[key] = held[1]
        return found

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            check_ids(decision)
        for decision in decisions:
            held, expires_ms = self._recent.get(decision.user_id, ({}, 0))
            if expires_ms <= self._clock():
                held = {}
            held[decision.event_time_ms, decision.event_id] = recent(decision)
            kept = _newest_first(held)
            horizon_ms = kept[0].event_time_ms - RECENT_WINDOW_MS
            kept = [d for d in kept if d.event_time_ms >= horizon_ms][:RECENT_DECISIONS]
            expires_ms = self._clock() + self._catalogue.decisions_ttl_s * 1000
            self._recent[decision.user_id] = ({(d.event_time_ms, d.event_id): d for d in kept}, expires_ms)

    def recent_decisions(self, user_id: str) -> list[RecentDecision]:
        id_bytes("user id", user_id)
        held, expires_ms = self._recent.get(user_id, ({}, 0))
        return _newest_first(held) if expires_ms > self._clock() else []

    def mark(self, freshness: Freshness) -> None:
        self._freshness = freshness.after(self._freshness)

    def freshness(self) -> Freshness | None:
        return self._freshness

    def check(self) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Memory holds no connection."""


def _newest_first(held: dict[tuple[int, str], RecentDecision]) -> list[RecentDecision]:
    return sorted(held.values(), key=lambda d: (d.event_time_ms, len(d.event_id.encode()), d.event_id), reverse=True)

"""The online store in Redis 7.

Keys: `sluice:<feature set>:f:<entity>:<id>` features, `sluice:s:<state key>` state,
`sluice:d:<user>` recent decisions (a sorted set by event time), `sluice:<feature set>:fresh` the marker.
A new feature set therefore starts with no value of the old one (CFR-1), whose keys expire by themselves; state bytes
say their own version, and sealed pieces of a long history are written once, so state is of all sets.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import settings
from schemas.events import Decision, EntityFeatures
from serving.stores import redis_client
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
from serving.stores.packing import pack_state, pack_vector, unpack_state, unpack_vector
from serving.stores.redis_client import KEYS_A_ROUND_TRIP, Put, RedisClient, parts
from serving.stores.redis_scripts import ADD_RECENT

_recent_decoder = msgspec.json.Decoder(RecentDecision)
_id_length = struct.Struct(">H")


def connect(
    config: settings.Redis, catalogue: Catalogue, *, database: int | None = None, namespace: str = "sluice"
) -> RedisOnline:
    """The online store at `config.url`; a connection is opened by the first call, so a Redis that is down can wait.

    Raises SettingsError when the url is no Redis url.
    """
    return RedisOnline(redis_client.connect(config, database=database), catalogue, namespace)


class RedisOnline:
    """An OnlineStore in Redis; safe to share between threads."""

    def __init__(self, client: RedisClient, catalogue: Catalogue, namespace: str = "sluice") -> None:
        self._client = client
        self._catalogue = catalogue
        self._versioned = f"{namespace}:{catalogue.feature_set}".encode()
        self._namespace = namespace.encode()

    def write(self, updates: Sequence[EntityFeatures]) -> None:
        puts: list[Put] = []
        for update in updates:
            self._catalogue.check(update)
            ttl_s = self._catalogue.ttl_s[update.entity]
            if update.values:
                key = self._features_key(update.entity, update.entity_id)
                puts.append((key, pack_vector(update.event_time_ms, update.values), ttl_s))
            for state_key, value in update.state.items():
                puts.append((self._state_key(state_key), pack_state(update.event_time_ms, value), ttl_s))
        self._client.put(puts)

    def read_features(self, entity: str, ids: Sequence[str]) -> list[StoredFeatures]:
        length = self._catalogue.length(entity)
        found: list[StoredFeatures] = []
        for entity_id, raw in zip(ids, self._client.get([self._features_key(entity, i) for i in ids]), strict=True):
            if raw is None:
                found.append(StoredFeatures(entity, entity_id, list(self._catalogue.defaults[entity])))
            else:
                event_time_ms, values = unpack_vector(raw, length)
                found.append(StoredFeatures(entity, entity_id, values, event_time_ms))
        return found

    def read_state(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for key, raw in zip(keys, self._client.get([self._state_key(key) for key in keys]), strict=True):
            value = None if raw is None else unpack_state(raw)
            if value is not None:
                found[key] = value
        return found

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        by_user: dict[bytes, list[Any]] = {}
        for decision in decisions:
            event_id = id_bytes("event id", decision.event_id)
            name = _id_length.pack(len(event_id)) + event_id
            member = name + msgspec.json.encode(recent(decision))
            by_user.setdefault(self._recent_key(decision.user_id), []).extend((decision.event_time_ms, name, member))
        bounds = (self._catalogue.decisions_ttl_s, RECENT_DECISIONS, RECENT_WINDOW_MS)
        calls = [(ADD_RECENT, [key], [*bounds, *args]) for key, args in by_user.items()]
        for part in parts(calls, KEYS_A_ROUND_TRIP):
            self._client.run(part)

    def recent_decisions(self, user_id: str) -> list[RecentDecision]:
        members = self._client.newest_members(self._recent_key(user_id))
        return [_recent_decoder.decode(m[_id_length.size + _id_length.unpack_from(m)[0] :]) for m in members]

    def mark(self, freshness: Freshness) -> None:
        self._client.mark(self._versioned + b":fresh", freshness)

    def freshness(self) -> Freshness | None:
        return self._client.freshness(self._versioned + b":fresh")

    def check(self) -> None:
        self._client.check()

    def close(self) -> None:
        self._client.close()

    def _features_key(self, entity: str, entity_id: str) -> bytes:
        return b"%b:f:%b:%b" % (self._versioned, entity.encode(), id_bytes(f"{entity} id", entity_id))

    def _state_key(self, key: str) -> bytes:
        return b"%b:s:%b" % (self._namespace, id_bytes("state key", key, MAX_STATE_KEY_CHARS))

    def _recent_key(self, user_id: str) -> bytes:
        return b"%b:d:%b" % (self._namespace, id_bytes("user id", user_id))

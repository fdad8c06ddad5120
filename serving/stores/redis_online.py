"""The online store in Redis 7.

Keys: `sluice:<feature set>:f:<entity>:<id>` features, `sluice:<feature set>:s:<state key>` state,
`sluice:d:<user>` recent decisions (a sorted set by event time), `sluice:<feature set>:fresh` the marker.
A new feature set therefore starts with no value of the old one (CFR-1), whose keys expire by themselves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas import settings
from schemas.errors import SettingsError, StoreError
from schemas.events import Decision, EntityFeatures
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
from serving.stores.redis_scripts import ADD_RECENT, MARK, PUT_IF_NOT_OLDER, SCRIPTS, Script

# One script call blocks Redis for about 5 µs a key, so this many keeps a reader's wait far below a millisecond.
KEYS_A_CALL = 32
KEYS_A_ROUND_TRIP = 2048

_T = TypeVar("_T")
_recent_decoder = msgspec.json.Decoder(RecentDecision)
_id_length = struct.Struct(">H")


def connect(
    config: settings.Redis, catalogue: Catalogue, *, database: int | None = None, namespace: str = "sluice"
) -> RedisOnline:
    """The online store at `config.url`; a connection is opened by the first call, so a Redis that is down can wait.

    Raises SettingsError when the url is no Redis url.
    """
    timeout_s = config.timeout_ms / 1000
    options: dict[str, Any] = {} if database is None else {"db": database}
    try:
        pool = redis.BlockingConnectionPool.from_url(
            config.url,
            max_connections=config.pool,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A restarted Redis has closed every pooled connection: one more try opens a new one.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
            **options,
        )
    except ValueError as error:
        raise SettingsError(f"redis.url: {error}; write redis://HOST:PORT/DATABASE") from error
    return RedisOnline(redis.Redis(connection_pool=pool), catalogue, namespace)


class RedisOnline:
    """An OnlineStore in Redis; safe to share between threads."""

    def __init__(self, client: redis.Redis, catalogue: Catalogue, namespace: str = "sluice") -> None:
        # redis-py declares each answer as sync or async at once, which no reader of a sync client can use.
        self._client: Any = client
        self._catalogue = catalogue
        self._versioned = f"{namespace}:{catalogue.feature_set}".encode()
        self._namespace = namespace.encode()

    def write(self, updates: Sequence[EntityFeatures]) -> None:
        puts: list[tuple[bytes, bytes, int]] = []
        for update in updates:
            self._catalogue.check(update)
            ttl_s = self._catalogue.ttl_s[update.entity]
            if update.values:
                key = self._features_key(update.entity, update.entity_id)
                puts.append((key, pack_vector(update.event_time_ms, update.values), ttl_s))
            for state_key, value in update.state.items():
                puts.append((self._state_key(state_key), pack_state(update.event_time_ms, value), ttl_s))
        for part in _parts(puts, KEYS_A_ROUND_TRIP):
            self._run([_put(call) for call in _parts(part, KEYS_A_CALL)])

    def read_features(self, entity: str, ids: Sequence[str]) -> list[StoredFeatures]:
        length = self._catalogue.length(entity)
        found: list[StoredFeatures] = []
        for entity_id, raw in zip(ids, self._get([self._features_key(entity, i) for i in ids]), strict=True):
            if raw is None:
                found.append(StoredFeatures(entity, entity_id, list(self._catalogue.defaults[entity])))
            else:
                event_time_ms, values = unpack_vector(raw, length)
                found.append(StoredFeatures(entity, entity_id, values, event_time_ms))
        return found

    def read_state(self, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for key, raw in zip(keys, self._get([self._state_key(key) for key in keys]), strict=True):
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
        for part in _parts(calls, KEYS_A_ROUND_TRIP):
            self._run(part)

    def recent_decisions(self, user_id: str) -> list[RecentDecision]:
        key = self._recent_key(user_id)
        with self._translated():
            members: list[bytes] = self._client.zrevrange(key, 0, -1)
        return [_recent_decoder.decode(m[_id_length.size + _id_length.unpack_from(m)[0] :]) for m in members]

    def mark(self, freshness: Freshness) -> None:
        self._run([(MARK, [self._versioned + b":fresh"], [freshness.event_time_ms, freshness.written_ms])])

    def freshness(self) -> Freshness | None:
        with self._translated():
            held: dict[bytes, bytes] = self._client.hgetall(self._versioned + b":fresh")
        return Freshness(int(held[b"event_time_ms"]), int(held[b"written_ms"])) if held else None

    def check(self) -> None:
        with self._translated():
            self._client.ping()

    def close(self) -> None:
        self._client.close()
        self._client.connection_pool.disconnect()

    def _features_key(self, entity: str, entity_id: str) -> bytes:
        return b"%b:f:%b:%b" % (self._versioned, entity.encode(), id_bytes(f"{entity} id", entity_id))

    def _state_key(self, key: str) -> bytes:
        return b"%b:s:%b" % (self._versioned, id_bytes("state key", key, MAX_STATE_KEY_CHARS))

    def _recent_key(self, user_id: str) -> bytes:
        return b"%b:d:%b" % (self._namespace, id_bytes("user id", user_id))

    def _get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        with self._translated():
            pipeline = self._client.pipeline(transaction=False)
            for part in _parts(keys, KEYS_A_CALL):
                pipeline.mget(part)
            return [raw for reply in pipeline.execute() for raw in reply]

    def _run(self, calls: Sequence[tuple[Script, list[bytes], list[Any]]]) -> None:
        """All calls in one round trip; a Redis that has restarted is handed the scripts again."""
        if not calls:
            return
        with self._translated():
            try:
                self._pipeline(calls).execute()
            except redis.exceptions.NoScriptError:
                for script in SCRIPTS:
                    self._client.script_load(script.lua)
                self._pipeline(calls).execute()

    def _pipeline(self, calls: Sequence[tuple[Script, list[bytes], list[Any]]]) -> Any:
        pipeline = self._client.pipeline(transaction=False)
        for script, keys, args in calls:
            pipeline.evalsha(script.sha, len(keys), *keys, *args)
        return pipeline

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            at = self._client.connection_pool.connection_kwargs
            where = at.get("path") or f"{at.get('host')}:{at.get('port')}"
            reason = str(error).partition("\n")[0]
            raise StoreError(f"Redis at {where}: {reason}; see `sluice doctor`, or set redis.url") from error


def _put(puts: Sequence[tuple[bytes, bytes, int]]) -> tuple[Script, list[bytes], list[Any]]:
    args = [arg for _, value, ttl_s in puts for arg in (value, ttl_s)]
    return PUT_IF_NOT_OLDER, [key for key, _, _ in puts], args


def _parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

"""What the stores in Redis share: the pool, scripts by their hash, many keys a round trip, errors by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas import settings
from schemas.errors import SettingsError, StoreError
from serving.stores.online import Freshness
from serving.stores.redis_scripts import MARK, PUT_IF_NOT_OLDER, SCRIPTS, Script

# One script call blocks Redis for about 5 µs a key, so this many keeps a reader's wait far below a millisecond.
KEYS_A_CALL = 32
KEYS_A_ROUND_TRIP = 2048

Call = tuple[Script, list[bytes], list[Any]]
Put = tuple[bytes, bytes, int]

_T = TypeVar("_T")


def connect(config: settings.Redis, *, database: int | None = None) -> RedisClient:
    """A client of `config.url`; a connection is opened by the first call, so a Redis that is down can wait.

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
    return RedisClient(redis.Redis(connection_pool=pool))


class RedisClient:
    """Redis as the stores use it; every method raises StoreError when it is down. Safe to share between threads."""

    def __init__(self, client: redis.Redis) -> None:
        # redis-py declares each answer as sync or async at once, which no reader of a sync client can use.
        self._client: Any = client

    def put(self, puts: Sequence[Put]) -> None:
        """Write each key, packed value (serving/stores/packing.py) and seconds to live, unless a newer one is held."""
        for part in parts(puts, KEYS_A_ROUND_TRIP):
            self.run([_put(call) for call in parts(part, KEYS_A_CALL)])

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The value of each key, in one round trip."""
        if not keys:
            return []
        with self._translated():
            if len(keys) <= KEYS_A_CALL:
                values: list[bytes | None] = self._client.mget(keys)
                return values
            pipeline = self._client.pipeline(transaction=False)
            for part in parts(keys, KEYS_A_CALL):
                pipeline.mget(part)
            return [raw for reply in pipeline.execute() for raw in reply]

    def run(self, calls: Sequence[Call]) -> None:
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

    def newest_members(self, key: bytes) -> list[bytes]:
        """The members of a sorted set, highest score first."""
        with self._translated():
            members: list[bytes] = self._client.zrevrange(key, 0, -1)
            return members

    def mark(self, key: bytes, freshness: Freshness) -> None:
        """Move the marker of that key; neither of its times ever goes back."""
        self.run([(MARK, [key], [freshness.event_time_ms, freshness.written_ms])])

    def freshness(self, key: bytes) -> Freshness | None:
        """The marker of that key, None when there is none."""
        with self._translated():
            held: dict[bytes, bytes] = self._client.hgetall(key)
            return Freshness(int(held[b"event_time_ms"]), int(held[b"written_ms"])) if held else None

    def check(self) -> None:
        """Raises StoreError when Redis does not answer."""
        with self._translated():
            self._client.ping()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
        self._client.connection_pool.disconnect()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            at = self._client.connection_pool.connection_kwargs
            where = at.get("path") or f"{at.get('host')}:{at.get('port')}"
            reason = str(error).partition("\n")[0]
            raise StoreError(f"Redis at {where}: {reason}; see `sluice doctor`, or set redis.url") from error

    def _pipeline(self, calls: Sequence[Call]) -> Any:
        pipeline = self._client.pipeline(transaction=False)
        for script, keys, args in calls:
            pipeline.evalsha(script.sha, len(keys), *keys, *args)
        return pipeline


def parts(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """The items in runs of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _put(puts: Sequence[Put]) -> Call:
    args = [arg for _, value, ttl_s in puts for arg in (value, ttl_s)]
    return PUT_IF_NOT_OLDER, [key for key, _, _ in puts], args

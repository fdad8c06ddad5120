"""The stored lists in Redis 7: key `sluice:l:<user>`, one value a user."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import settings
from schemas.events import RecommendationList
from serving.stores import redis_client
from serving.stores.ids import id_bytes
from serving.stores.lists import LIST_TTL_S, check_list, shown
from serving.stores.online import Freshness
from serving.stores.packing import pack_list, unpack_list
from serving.stores.redis_client import RedisClient


def connect(
    config: settings.Redis, *, database: int | None = None, namespace: str = "sluice", ttl_s: int = LIST_TTL_S
) -> RedisLists:
    """The lists at `config.url`; a connection is opened by the first call, so a Redis that is down can wait.

    Raises SettingsError when the url is no Redis url.
    """
    return RedisLists(redis_client.connect(config, database=database), namespace, ttl_s)


class RedisLists:
    """A ListStore in Redis; safe to share between threads."""

    def __init__(self, client: RedisClient, namespace: str = "sluice", ttl_s: int = LIST_TTL_S) -> None:
        self._client = client
        self._namespace = namespace.encode()
        self._ttl_s = ttl_s

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        for made in lists:
            check_list(made)
        self._client.put([(self._key(made.user_id), pack_list(shown(made)), self._ttl_s) for made in lists])

    def read_list(self, user_id: str) -> RecommendationList | None:
        (raw,) = self._client.get([self._key(user_id)])
        return None if raw is None else unpack_list(raw)

    def mark(self, freshness: Freshness) -> None:
        self._client.mark(self._namespace + b":lists:fresh", freshness)

    def freshness(self) -> Freshness | None:
        return self._client.freshness(self._namespace + b":lists:fresh")

    def check(self) -> None:
        self._client.check()

    def close(self) -> None:
        self._client.close()

    def _key(self, user_id: str) -> bytes:
        return b"%b:l:%b" % (self._namespace, id_bytes("user id", user_id))

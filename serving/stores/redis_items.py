"""The stored items in Redis 7: `sluice:i:<item>` an entry, `sluice:r:<kind>:<name>` a ranking."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import settings
from schemas.events import Item, Ranking
from serving.stores import redis_client
from serving.stores.ids import id_bytes
from serving.stores.items import ITEM_TTL_S, RANKING_TTL_S, RankingKey, check_item, check_ranking
from serving.stores.packing import pack_item, pack_ranking, unpack_item, unpack_ranking
from serving.stores.redis_client import RedisClient


def connect(
    config: settings.Redis,
    *,
    database: int | None = None,
    namespace: str = "sluice",
    item_ttl_s: int = ITEM_TTL_S,
    ranking_ttl_s: int = RANKING_TTL_S,
) -> RedisItems:
    """The items at `config.url`; a connection is opened by the first call, so a Redis that is down can wait.

    Raises SettingsError when the url is no Redis url.
    """
    client = redis_client.connect(config, database=database)
    return RedisItems(client, namespace, item_ttl_s=item_ttl_s, ranking_ttl_s=ranking_ttl_s)


class RedisItems:
    """An ItemStore in Redis; safe to share between threads."""

    def __init__(
        self,
        client: RedisClient,
        namespace: str = "sluice",
        *,
        item_ttl_s: int = ITEM_TTL_S,
        ranking_ttl_s: int = RANKING_TTL_S,
    ) -> None:
        self._client = client
        self._namespace = namespace.encode()
        self._item_ttl_s = item_ttl_s
        self._ranking_ttl_s = ranking_ttl_s

    def write_entries(self, entries: Sequence[Item]) -> None:
        for entry in entries:
            check_item(entry)
        self._client.put([(self._item_key(e.item_id), pack_item(e), self._item_ttl_s) for e in entries])

    def write_rankings(self, rankings: Sequence[Ranking]) -> None:
        for ranking in rankings:
            check_ranking(ranking)
        self._client.put(
            [(self._ranking_key((r.kind, r.name)), pack_ranking(r), self._ranking_ttl_s) for r in rankings]
        )

    def read_entries(self, item_ids: Sequence[str]) -> list[Item | None]:
        found = self._client.get([self._item_key(item_id) for item_id in item_ids])
        return [None if raw is None else unpack_item(raw) for raw in found]

    def read_rankings(self, keys: Sequence[RankingKey]) -> list[Ranking | None]:
        found = self._client.get([self._ranking_key(key) for key in keys])
        return [None if raw is None else unpack_ranking(raw) for raw in found]

    def check(self) -> None:
        self._client.check()

    def close(self) -> None:
        self._client.close()

    def _item_key(self, item_id: str) -> bytes:
        return b"%b:i:%b" % (self._namespace, id_bytes("item id", item_id))

    def _ranking_key(self, key: RankingKey) -> bytes:
        kind, name = key
        return b"%b:r:%b:%b" % (self._namespace, kind.encode(), id_bytes("ranking name", name))

"""What only a real Redis can show of the items: it is down, or holds another release's bytes; life and size."""

from __future__ import annotations

import pytest
import redis
from store_builders import entry, ranking

from schemas import settings
from schemas.errors import StateVersionError, StoreError
from serving.stores import redis_items
from serving.stores.items import ITEM_TTL_S, RANKING_TTL_S
from serving.stores.lists import LIST_TTL_S
from tests.ports import free_port


def connected(url, **options):
    return redis_items.connect(settings.Redis(url=url, timeout_ms=300), **options)


def test_a_redis_that_is_down_is_named_by_every_method():
    port = free_port()
    store = connected(f"redis://127.0.0.1:{port}/0")
    for call in (
        lambda: store.write_entries([entry()]),
        lambda: store.write_rankings([ranking()]),
        lambda: store.read_entries(["i1"]),
        lambda: store.read_rankings([("trending", "all")]),
        store.check,
    ):
        with pytest.raises(StoreError, match=rf"Redis at 127.0.0.1:{port}: .*; see `sluice doctor`"):
            call()


def test_both_live_as_long_as_their_bounds_say_and_entries_longest(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="ittl")
    store.write_entries([entry()])
    store.write_rankings([ranking()])
    assert sorted(client.keys("ittl:*")) == [b"ittl:i:i1", b"ittl:r:similar:i1"]
    assert ITEM_TTL_S - 5 <= client.ttl("ittl:i:i1") <= ITEM_TTL_S
    assert RANKING_TTL_S - 5 <= client.ttl("ittl:r:similar:i1") <= RANKING_TTL_S
    assert max(RANKING_TTL_S, LIST_TTL_S) < ITEM_TTL_S


def test_an_item_with_its_ranking_takes_less_than_five_thousand_bytes_of_redis(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="ibytes")
    store.write_entries([entry("item-00001")])
    store.write_rankings([ranking("item-00001", items=tuple(f"item-{place:05}" for place in range(50)))])
    assert sum(client.memory_usage(key) for key in client.keys("ibytes:*")) < 5000


def test_an_unknown_encoding_is_refused_by_name(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="itags")
    store.write_entries([entry()])
    store.write_rankings([ranking()])
    client.setrange("itags:i:i1", 8, b"\x63")
    client.setrange("itags:r:similar:i1", 8, b"\x63")
    with pytest.raises(StateVersionError, match="stored item has encoding 99, this release reads 4; upgrade"):
        store.read_entries(["i1"])
    with pytest.raises(StateVersionError, match="stored ranking has encoding 99, this release reads 5; upgrade"):
        store.read_rankings([("similar", "i1")])

"""What only a real Redis can show of the lists: it is down, silent, restarted, or holds another release's bytes."""

from __future__ import annotations

import time

import pytest
import redis
from store_builders import NOON_MS, listing
from store_servers import gate

from schemas import settings
from schemas.errors import SettingsError, StateVersionError, StoreError
from serving.stores import redis_lists
from serving.stores.lists import LIST_TTL_S
from tests.ports import free_port

TIMEOUT_MS = 300


def connected(url, **options):
    return redis_lists.connect(settings.Redis(url=url, timeout_ms=TIMEOUT_MS), **options)


def test_a_redis_that_is_down_is_named_by_every_method():
    port = free_port()
    store = connected(f"redis://127.0.0.1:{port}/0")
    for call in (lambda: store.write_lists([listing()]), lambda: store.read_list("u1"), store.check):
        with pytest.raises(StoreError, match=rf"Redis at 127.0.0.1:{port}: .*; see `sluice doctor`"):
            call()


def test_a_silent_redis_is_a_store_error_after_the_timeout(own_redis):
    with gate(own_redis.port) as door:
        store = connected(f"redis://127.0.0.1:{door.port}/0")
        store.check()
        door.freeze()
        started = time.monotonic()
        with pytest.raises(StoreError, match="Timeout"):
            store.read_list("u1")
        assert TIMEOUT_MS / 1000 * 0.9 < time.monotonic() - started < 10


def test_a_restarted_redis_takes_lists_again_at_once(own_redis):
    store = connected(own_redis.url)
    store.write_lists([listing()])
    own_redis.stop()
    own_redis.start()
    store.write_lists([listing(at_ms=NOON_MS + 1)])
    assert store.read_list("u1").event_time_ms == NOON_MS + 1


def test_a_list_lives_as_long_as_its_bound_says(private_redis):
    client = redis.Redis(port=private_redis.port)
    connected(private_redis.url, namespace="lttl").write_lists([listing()])
    assert client.keys("lttl:*") == [b"lttl:l:u1"]
    assert LIST_TTL_S - 5 <= client.ttl("lttl:l:u1") <= LIST_TTL_S


def test_a_list_of_twenty_takes_less_than_three_thousand_bytes_of_redis(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="lbytes")
    store.write_lists([listing(items=tuple(f"item-{place:05}" for place in range(20)))])
    assert client.memory_usage("lbytes:l:u1") < 3000


def test_an_unknown_encoding_is_refused_by_name(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="ltags")
    store.write_lists([listing()])
    client.setrange("ltags:l:u1", 8, b"\x63")
    with pytest.raises(StateVersionError, match="stored list has encoding 99, this release reads 3; upgrade"):
        store.read_list("u1")


def test_a_url_that_is_none_stops_the_start():
    with pytest.raises(SettingsError, match=r"redis.url: .*; write redis://HOST:PORT/DATABASE"):
        connected("localhost")

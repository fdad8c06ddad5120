"""What only a real Redis can show: it is down, silent, restarted, or holds what another release wrote."""

from __future__ import annotations

import time

import pytest
import redis
from store_builders import CATALOGUE, NOON_MS, update
from store_servers import gate

from schemas import settings
from schemas.errors import SettingsError, StateVersionError, StoreError
from serving.stores import redis_online
from serving.stores.online import Catalogue, Freshness
from tests.decisions import decision
from tests.ports import free_port

TIMEOUT_MS = 300


def connected(url, catalogue=CATALOGUE, **options):
    return redis_online.connect(settings.Redis(url=url, timeout_ms=TIMEOUT_MS), catalogue, **options)


def calls(store):
    return {
        "write": lambda: store.write([update()]),
        "read_features": lambda: store.read_features("user", ["u1"]),
        "read_state": lambda: store.read_state(["k"]),
        "write_decisions": lambda: store.write_decisions([decision()]),
        "recent_decisions": lambda: store.recent_decisions("u1"),
        "mark": lambda: store.mark(Freshness(1, 1)),
        "freshness": store.freshness,
        "check": store.check,
    }


def test_a_store_that_is_down_is_named_quickly_by_every_method(own_redis):
    store = connected(own_redis.url)
    store.check()
    own_redis.stop()
    for name, call in calls(store).items():
        started = time.monotonic()
        with pytest.raises(StoreError, match=rf"Redis at 127.0.0.1:{own_redis.port}: .*; see `sluice doctor`"):
            call()
        assert time.monotonic() - started < 5, name


def test_a_store_that_does_not_answer_ends_in_a_store_error_after_the_timeout(own_redis):
    with gate(own_redis.port) as door:
        store = connected(f"redis://127.0.0.1:{door.port}/0")
        store.check()
        door.freeze()
        started = time.monotonic()
        with pytest.raises(StoreError, match="Timeout"):
            store.read_features("user", ["u1"])
        assert TIMEOUT_MS / 1000 * 0.9 < time.monotonic() - started < 10


def test_connecting_to_a_store_that_is_down_waits_for_the_first_call():
    store = connected(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreError, match="refused"):
        store.check()


def test_a_restarted_store_takes_writes_again_at_once(own_redis):
    store = connected(own_redis.url)
    store.write([update()])
    own_redis.stop()
    own_redis.start()
    store.write([update(k=b"1")])
    store.write_decisions([decision()])
    store.mark(Freshness(1, 2))
    assert store.read_state(["k"]) == {"k": b"1"}
    assert len(store.recent_decisions("u1")) == 1


def test_a_full_store_is_a_store_error_and_the_rest_of_the_program_goes_on(own_redis):
    client = redis.Redis(port=own_redis.port)
    client.config_set("maxmemory", 1)
    with pytest.raises(StoreError, match=r"OOM|maxmemory"):
        connected(own_redis.url).write([update()])


def test_every_key_has_a_time_to_live_except_the_marker(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="ttl")
    store.write([update(k=b"1", gone=None), update("m", values=(1.0,), entity="merchant")])
    store.write_decisions([decision()])
    store.mark(Freshness(1, 2))
    held = {key: client.ttl(key) for key in client.keys("ttl:*")}
    expected = {b"test-1:f:user:u1": 3600, b"s:k": 3600, b"s:gone": 3600, b"test-1:f:merchant:m": 7200}
    for name, ttl_s in {b"ttl:" + k: v for k, v in expected.items()}.items():
        assert ttl_s - 5 <= held.pop(name) <= ttl_s
    assert 595 <= held.pop(b"ttl:d:u1") <= 600
    assert held == {b"ttl:test-1:fresh": -1}


def test_fifty_features_take_less_than_600_bytes_of_redis(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, Catalogue("wide", {"user": [0.0] * 50}, {"user": 60}), namespace="memory")
    store.write([update(values=tuple(float(i) for i in range(50)))])
    assert client.memory_usage("memory:wide:f:user:u1") < 600


def test_a_new_feature_set_starts_with_default_values_over_the_state_that_is_there(private_redis):
    old, new = (
        connected(private_redis.url, Catalogue(name, {"user": [0.5]}, {"user": 60}), namespace="versions")
        for name in ("fs-1", "fs-2")
    )
    old.write([update(values=(1.0,), k=b"1")])
    assert new.read_features("user", ["u1"])[0].values == [0.5]
    assert new.read_state(["k"]) == {"k": b"1"}
    new.write([update(values=(2.0,), at_ms=NOON_MS - 1)])
    assert old.read_features("user", ["u1"])[0].values == [1.0]


def test_a_vector_of_another_length_is_refused_by_name(private_redis):
    wide, narrow = (
        connected(private_redis.url, Catalogue("same", {"user": [0.0] * n}, {"user": 60}), namespace="length")
        for n in (4, 3)
    )
    wide.write([update(values=(1, 2, 3, 4))])
    with pytest.raises(StateVersionError, match=r"encoding 1 and 4 values, this release reads 1 and 3; give a changed"):
        narrow.read_features("user", ["u1"])


def test_an_unknown_encoding_is_refused_by_name(private_redis):
    client = redis.Redis(port=private_redis.port)
    store = connected(private_redis.url, namespace="tags")
    store.write([update(k=b"1")])
    for key in ("tags:test-1:f:user:u1", "tags:s:k"):
        client.setrange(key, 8, b"\x63")
    with pytest.raises(StateVersionError, match="stored features have encoding 99"):
        store.read_features("user", ["u1"])
    with pytest.raises(StateVersionError, match="stored state has encoding 99"):
        store.read_state(["k"])


def test_a_url_that_is_none_stops_the_start():
    with pytest.raises(SettingsError, match=r"redis.url: .*; write redis://HOST:PORT/DATABASE"):
        connected("localhost")


def test_a_password_in_the_url_is_in_no_message():
    with pytest.raises(StoreError) as raised:
        connected(f"redis://user:hunter2@127.0.0.1:{free_port()}/0").check()
    assert "hunter2" not in str(raised.value)


@pytest.mark.stack
def test_the_running_redis_takes_a_round_trip():
    store = redis_online.connect(settings.read(None).redis, CATALOGUE, database=15, namespace="sluice-test")
    now_ms = time.time_ns() // 1_000_000
    store.write([update(at_ms=now_ms, k=b"1")])
    assert store.read_features("user", ["u1"])[0].event_time_ms == now_ms
    store.close()

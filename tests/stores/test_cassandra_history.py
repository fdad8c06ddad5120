"""What only a real Cassandra can show: it is down, silent, without tables, or rows expire."""

from __future__ import annotations

import time

import msgspec
import pytest
from cassandra.cluster import Cluster
from store_builders import NOON_MS
from store_servers import gate

from schemas import settings
from schemas.errors import StoreError
from serving.stores import cassandra_history
from tests.decisions import decision
from tests.ports import free_port


def calls(store):
    return {
        "write_decisions": lambda: store.write_decisions([decision()]),
        "decision": lambda: store.decision("e1"),
        "decisions_of": lambda: store.decisions_of("u1", 0, 1, 1),
        "aggregates": lambda: store.aggregates("u1", 30, NOON_MS),
        "check": store.check,
    }


def test_a_store_that_is_down_is_named_quickly_by_every_method_and_no_earlier():
    port = free_port()
    store = cassandra_history.connect(settings.Cassandra(port=port))
    for name, call in calls(store).items():
        started = time.monotonic()
        with pytest.raises(StoreError, match=rf"Cassandra at 127.0.0.1:{port}: .*; see `sluice doctor`"):
            call()
        assert time.monotonic() - started < 10, name
    with pytest.raises(StoreError, match="Cassandra at"):
        cassandra_history.create_schema(settings.Cassandra(port=port))
    store.close()


@pytest.fixture
def behind_a_gate(cassandra_settings):
    with gate(cassandra_settings.port) as door:
        config = msgspec.structs.replace(cassandra_settings, port=door.port, timeout_ms=1000)
        store = cassandra_history.connect(config)
        store.check()
        yield store, door
        store.close()


@pytest.mark.stack
def test_a_store_that_goes_down_raises_and_works_again_when_it_is_back(behind_a_gate, fresh):
    store, door = behind_a_gate
    door.shut()
    for name, call in calls(store).items():
        started = time.monotonic()
        with pytest.raises(StoreError, match="Cassandra at"):
            call()
        assert time.monotonic() - started < 10, name
    door.open()
    written = decision(fresh("e"), user_id=fresh("u"))
    deadline = time.monotonic() + 60
    while True:
        try:
            store.write_decisions([written])
            break
        except StoreError:
            assert time.monotonic() < deadline, "the session did not come back"
            time.sleep(0.2)
    assert store.decision(written.event_id) == written


@pytest.mark.stack
def test_a_store_that_does_not_answer_ends_in_a_store_error_after_the_timeout(behind_a_gate):
    store, door = behind_a_gate
    door.freeze()
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"imeout|timed out"):
        store.decision("e1")
    assert 0.9 < time.monotonic() - started < 10


@pytest.mark.stack
def test_a_keyspace_without_tables_is_named_with_the_way_out(cassandra_settings):
    config = msgspec.structs.replace(cassandra_settings, keyspace="sluice_test_missing")
    store = cassandra_history.connect(config)
    with pytest.raises(StoreError, match="keyspace sluice_test_missing; `sluice up` or `sluice tables` creates"):
        store.check()


@pytest.mark.stack
def test_creating_the_schema_again_changes_only_the_time_to_live(cassandra_settings, history_session, fresh):
    store = cassandra_history.connect(cassandra_settings)
    written = decision(fresh("e"), user_id=fresh("u"))
    store.write_decisions([written])
    for days in (7, cassandra_settings.decision_days):
        cassandra_history.create_schema(msgspec.structs.replace(cassandra_settings, decision_days=days))
        later = decision(fresh("e"), user_id=fresh("u"))
        store.write_decisions([later])
        assert days * 86400 - 60 < ttl_of(history_session, later.event_id) <= days * 86400
    assert store.decision(written.event_id) == written
    store.close()


@pytest.mark.stack
def test_rows_carry_the_event_time_as_their_write_time(cassandra_settings, history_session, fresh):
    store = cassandra_history.connect(cassandra_settings)
    written = decision(fresh("e"), user_id=fresh("u"))
    store.write_decisions([written])
    query = "SELECT writetime(body) FROM decisions WHERE event_id = %s"
    assert history_session.execute(query, (written.event_id,)).one()[0] == NOON_MS * 1000
    store.close()


def ttl_of(session, event_id):
    return session.execute("SELECT ttl(body) FROM decisions WHERE event_id = %s", (event_id,)).one()[0]


@pytest.fixture
def history_session(cassandra_settings):
    cluster = Cluster(cassandra_settings.hosts, port=cassandra_settings.port, protocol_version=5)
    yield cluster.connect(cassandra_settings.keyspace)
    cluster.shutdown()

"""One fixture a store: the twin in memory and the real one pass the same tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from store_builders import CATALOGUE
from store_servers import PrivateRedis
from stores_in_time import SteppedClock, Stores

from schemas import settings
from serving.stores import cassandra_history, redis_items, redis_lists, redis_online
from serving.stores.history import HistoryStore
from serving.stores.items import ITEM_TTL_S, ItemStore
from serving.stores.lists import LIST_TTL_S, ListStore
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists
from serving.stores.memory_online import MemoryOnline
from serving.stores.online import Catalogue, OnlineStore

NewOnline = Stores[OnlineStore]
NewLists = Stores[ListStore]
NewItems = Stores[ItemStore]


@pytest.fixture(scope="session")
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    """One that the test may break."""
    server = PrivateRedis(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=["memory", "redis"])
def new_online(request: pytest.FixtureRequest) -> Iterator[NewOnline]:
    """Makes an empty online store; each has a namespace of its own."""
    if request.param == "memory":
        clock = SteppedClock()
        yield Stores(lambda catalogue=CATALOGUE: MemoryOnline(catalogue, clock), clock.step)
        return
    server: PrivateRedis = request.getfixturevalue("private_redis")
    opened = []
    names = itertools.count()

    def new(catalogue: Catalogue = CATALOGUE) -> OnlineStore:
        config = settings.Redis(url=server.url)
        opened.append(redis_online.connect(config, catalogue, namespace=f"test{next(names)}"))
        return opened[-1]

    yield Stores(new, partial(server.age, "test*"))
    for store in opened:
        store.close()


@pytest.fixture
def online(new_online: NewOnline) -> OnlineStore:
    return new_online()


@pytest.fixture(scope="session", params=["memory", "redis"])
def new_lists(request: pytest.FixtureRequest) -> Iterator[NewLists]:
    """Makes an empty store of lists; each has a namespace of its own."""
    if request.param == "memory":
        clock = SteppedClock()
        yield Stores(lambda ttl_s=LIST_TTL_S: MemoryLists(clock, ttl_s), clock.step)
        return
    server: PrivateRedis = request.getfixturevalue("private_redis")
    opened = []
    names = itertools.count()

    def new(ttl_s: int = LIST_TTL_S) -> ListStore:
        config = settings.Redis(url=server.url)
        opened.append(redis_lists.connect(config, namespace=f"lists{next(names)}", ttl_s=ttl_s))
        return opened[-1]

    yield Stores(new, partial(server.age, "lists*"))
    for store in opened:
        store.close()


@pytest.fixture(scope="session", params=["memory", "redis"])
def new_items(request: pytest.FixtureRequest) -> Iterator[NewItems]:
    """Makes an empty store of items; each has a namespace of its own."""
    if request.param == "memory":
        clock = SteppedClock()
        yield Stores(lambda ttl_s=ITEM_TTL_S: MemoryItems(clock, ttl_s, ttl_s), clock.step)
        return
    server: PrivateRedis = request.getfixturevalue("private_redis")
    opened = []
    names = itertools.count()

    def new(ttl_s: int = ITEM_TTL_S) -> ItemStore:
        config = settings.Redis(url=server.url)
        namespace = f"items{next(names)}"
        opened.append(redis_items.connect(config, namespace=namespace, item_ttl_s=ttl_s, ranking_ttl_s=ttl_s))
        return opened[-1]

    yield Stores(new, partial(server.age, "items*"))
    for store in opened:
        store.close()


@pytest.fixture
def items(new_items: NewItems) -> ItemStore:
    return new_items()


@pytest.fixture
def lists(new_lists: NewLists) -> ListStore:
    return new_lists()


@pytest.fixture(scope="session")
def cassandra_settings() -> settings.Cassandra:
    """The running stack's Cassandra, with a keyspace that no job uses."""
    given = settings.read(None).cassandra
    config = settings.Cassandra(hosts=given.hosts, port=given.port, keyspace="sluice_test", timeout_ms=5000)
    cassandra_history.create_schema(config)
    return config


@pytest.fixture(scope="session", params=["memory", pytest.param("cassandra", marks=pytest.mark.stack)])
def history(request: pytest.FixtureRequest) -> Iterator[HistoryStore]:
    """One history store for all tests; each test uses ids of its own."""
    if request.param == "memory":
        yield MemoryHistory(180 * 24 * 3600, SteppedClock())
        return
    store = cassandra_history.connect(request.getfixturevalue("cassandra_settings"))
    yield store
    store.close()


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Makes an id that no other call and no earlier run has made."""
    run, count = uuid4().hex[:8], itertools.count()
    return lambda name: f"{run}{next(count):x}-{name}"

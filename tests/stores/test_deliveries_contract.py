"""What every delivery log does: the twin in memory and Cassandra."""

from collections.abc import Iterator

import pytest
from store_builders import NOON_MS

from schemas.units import DAY_MS, HOUR_MS
from serving.stores import cassandra_deliveries
from serving.stores.deliveries import Delivery, DeliveryStore
from serving.stores.memory_deliveries import MemoryDeliveries


@pytest.fixture(scope="module", params=["memory", pytest.param("cassandra", marks=pytest.mark.stack)])
def log(request: pytest.FixtureRequest) -> Iterator[DeliveryStore]:
    if request.param == "memory":
        yield MemoryDeliveries()
        return
    store = cassandra_deliveries.connect(request.getfixturevalue("cassandra_settings"))
    yield store
    store.close()


def row(person, at_ms=NOON_MS, message="m-1", status="delivered", **fields):
    return Delivery(person, message, at_ms, "0 slack", status, ["JobDown"], 1, **fields)


def test_rows_are_read_back_newest_first_and_once(log, fresh):
    ada = fresh("ada")
    rows = [row(ada, NOON_MS - hour * HOUR_MS) for hour in range(60)]
    log.write_deliveries(rows[::-1])
    log.write_deliveries(rows[:10])
    found = log.deliveries_of(ada, NOON_MS - 30 * DAY_MS, NOON_MS + 1, 1000)
    assert found == rows
    assert log.deliveries_of(ada, NOON_MS - 30 * DAY_MS, NOON_MS + 1, 7) == rows[:7]
    assert log.deliveries_of(fresh("bob"), 0, NOON_MS + 1 - NOON_MS, 7) == []


def test_what_happened_to_one_message_are_rows_of_their_own(log, fresh):
    ada = fresh("ada")
    statuses = ["sent", "failed", "delivered", "opened", "clicked"]
    log.write_deliveries([row(ada, status=status, detail="503" if status == "failed" else "") for status in statuses])
    found = log.deliveries_of(ada, NOON_MS, NOON_MS + 1, 10)
    assert {(d.status, d.detail) for d in found} == {
        ("sent", ""), ("failed", "503"), ("delivered", ""), ("opened", ""), ("clicked", ""),
    }  # fmt: skip


def test_the_range_holds_its_start_and_not_its_end(log, fresh):
    ada = fresh("ada")
    log.write_deliveries([row(ada, NOON_MS + ms) for ms in range(4)])
    assert [d.at_ms - NOON_MS for d in log.deliveries_of(ada, NOON_MS + 1, NOON_MS + 3, 10)] == [2, 1]

"""The API over the real Redis and Cassandra of the running stack."""

from __future__ import annotations

from functools import partial

import pytest
import schemathesis
from api_builders import CATALOGUE, NOW_MS, Doubling, app
from hypothesis import HealthCheck
from hypothesis import settings as how
from test_openapi import CONFIG, as_written
from test_recommendations import entry, listing, ranking

from infra.cli.api import replay_letter
from schemas import settings
from schemas.events import EntityFeatures
from serving.stores import cassandra_history, redis_items, redis_lists, redis_online
from tests.decisions import decision

pytestmark = pytest.mark.stack


# The stores open their first connection when they are used, so the app can be described without them.
GIVEN = settings.read(None)
CASSANDRA = settings.Cassandra(hosts=GIVEN.cassandra.hosts, port=GIVEN.cassandra.port, keyspace="sluice_test")
HISTORY = cassandra_history.connect(CASSANDRA)
ONLINE = redis_online.connect(GIVEN.redis, CATALOGUE, database=15, namespace="sluice-test-api")
LISTS = redis_lists.connect(GIVEN.redis, database=15, namespace="sluice-test-api")
ITEMS = redis_items.connect(GIVEN.redis, database=15, namespace="sluice-test-api")
APP = app(
    online=ONLINE, lists=LISTS, items=ITEMS, history=HISTORY, scorer=Doubling(), replay=partial(replay_letter, GIVEN)
)
schema = schemathesis.openapi.from_asgi("/openapi.json", APP, config=CONFIG)


@pytest.fixture(scope="module", autouse=True)
def known():
    """One entity and one decision that generated requests may hit."""
    cassandra_history.create_schema(CASSANDRA)
    ONLINE.write([EntityFeatures("user", "0", NOW_MS, [1.0, 2.0])])
    ONLINE.write_decisions([decision("0", user_id="0")])
    HISTORY.write_decisions([decision("0", user_id="0", features=[1.0])])
    LISTS.write_lists([listing("0", ["i1", "i2"])])
    HISTORY.write_lists([listing("0", ["i1", "i2"])])
    ITEMS.write_entries([entry("i1"), entry("i2")])
    ITEMS.write_rankings([ranking("trending", "all", ["i1", "i2"])])
    yield
    for store in (ONLINE, LISTS, ITEMS, HISTORY):
        store.close()


@schema.parametrize()
@how(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_from_the_real_stores_is_one_that_the_document_promises(case):
    case.body = as_written(case.body)
    case.call_and_validate()

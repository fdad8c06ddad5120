"""The API over the real Redis and Cassandra of the running stack."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as how
from test_api import CATALOGUE, DEFAULTS, NOW_MS, Doubling, decision
from test_openapi import CONFIG, as_written

from schemas import settings
from schemas.events import EntityFeatures
from serving.api.app import create_app
from serving.stores import cassandra_history, redis_online

pytestmark = pytest.mark.stack


# The stores open their first connection when they are used, so the app can be described without them.
GIVEN = settings.read(None)
CASSANDRA = settings.Cassandra(hosts=GIVEN.cassandra.hosts, port=GIVEN.cassandra.port, keyspace="sluice_test")
HISTORY = cassandra_history.connect(CASSANDRA)
ONLINE = redis_online.connect(GIVEN.redis, CATALOGUE, database=15, namespace="sluice-test-api")
APP = create_app(ONLINE, HISTORY, Doubling(), DEFAULTS, lambda: NOW_MS, "fs-1")
schema = schemathesis.openapi.from_asgi("/openapi.json", APP, config=CONFIG)


@pytest.fixture(scope="module", autouse=True)
def known():
    """One entity and one decision that generated requests may hit."""
    cassandra_history.create_schema(CASSANDRA)
    ONLINE.write([EntityFeatures("user", "0", NOW_MS, [1.0, 2.0])])
    ONLINE.write_decisions([decision("0", user_id="0")])
    HISTORY.write_decisions([decision("0", user_id="0", features=[1.0])])
    yield
    ONLINE.close()
    HISTORY.close()


@schema.parametrize()
@how(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_from_the_real_stores_is_one_that_the_document_promises(case):
    case.body = as_written(case.body)
    case.call_and_validate()

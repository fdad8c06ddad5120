"""The API keeps what its OpenAPI document says, for generated requests good and bad."""

from __future__ import annotations

import schemathesis
from hypothesis import settings
from test_api import CATALOGUE, DEFAULTS, NOW_MS, Doubling, decision

from schemas.events import EntityFeatures
from serving.api.app import create_app
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_online import MemoryOnline


def app():
    online, history = MemoryOnline(CATALOGUE, lambda: NOW_MS), MemoryHistory(10**9, lambda: NOW_MS)
    online.write([EntityFeatures("user", "0", NOW_MS, [1.0, 2.0])])
    online.write_decisions([decision("0", user_id="0")])
    history.write_decisions([decision("0", user_id="0", features=[1.0], timings_us={"model": 3})])
    return create_app(online, history, Doubling(), DEFAULTS, lambda: NOW_MS, "fs-1")


# A range that ends before it begins is refused, which no schema of its two ends can say.
CONFIG = schemathesis.Config.from_dict(
    {
        "operations": [
            {
                "include-path": "/users/{user_id}/decisions",
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}},
            }
        ]
    }
)

schema = schemathesis.openapi.from_asgi("/openapi.json", app(), config=CONFIG)


def as_written(value):
    """JSON Schema takes 200.0 for an integer; an event's integers are written without a fraction."""
    if isinstance(value, dict):
        return {name: as_written(part) for name, part in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schema.parametrize()
@settings(max_examples=40, deadline=None)
def test_every_answer_is_one_that_the_document_promises(case):
    case.body = as_written(case.body)
    case.call_and_validate()

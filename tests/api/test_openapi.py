"""The API keeps what its OpenAPI document says, for generated requests good and bad."""

from __future__ import annotations

import schemathesis
from api_builders import CATALOGUE, NOW_MS, Doubling, app
from console_scene import fill
from hypothesis import settings
from test_recommendations import entry, listing, ranking

from schemas.events import EntityFeatures
from serving.api.answers import ReplayAnswer
from serving.console.console import Console
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists
from serving.stores.memory_online import MemoryOnline
from tests.decisions import decision


def filled():
    online, history = MemoryOnline(CATALOGUE, lambda: NOW_MS), MemoryHistory(10**9, lambda: NOW_MS)
    lists, items = MemoryLists(lambda: NOW_MS), MemoryItems(lambda: NOW_MS)
    online.write([EntityFeatures("user", "0", NOW_MS, [1.0, 2.0])])
    online.write_decisions([decision("0", user_id="0")])
    history.write_decisions([decision("0", user_id="0", features=[1.0], timings_us={"model": 3})])
    lists.write_lists([listing("0", [f"i{n}" for n in range(20)])])
    history.write_lists([listing("0", ["i1"])])
    items.write_entries([entry(f"i{n}") for n in range(40)])
    items.write_rankings([ranking("trending", "all", [f"i{n}" for n in range(40)]), ranking("similar", "0", ["i3"])])
    console = Console(lambda: NOW_MS)
    fill(console, NOW_MS)
    return app(
        online=online,
        history=history,
        lists=lists,
        items=items,
        scorer=Doubling(),
        console=console,
        replay=lambda _, rekey: ReplayAnswer(None, replayed_before=rekey),
        runbook={"0": "# 0"}.get,
    )


# Refused although the schema allows them: a range that ends before it begins, an interaction or label ahead of the
# clock.
CONFIG = schemathesis.Config.from_dict(
    {
        "operations": [
            {"include-path": path, "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}}}
            for path in ("/users/{user_id}/decisions", "/recommendations/{user_id}/history", "/interactions", "/labels")
        ]
        # A stream has no end that could be waited for: tests/api/test_live.py reads it.
        + [{"include-path": "/live", "enabled": False}]
    }
)

schema = schemathesis.openapi.from_asgi("/openapi.json", filled(), config=CONFIG)


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

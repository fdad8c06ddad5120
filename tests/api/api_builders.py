"""The API over in-memory stores, and a client of it."""

from __future__ import annotations

import asyncio
import itertools

import httpx

from schemas.control import RecommendPolicy
from schemas.errors import PartFailedError
from schemas.events import Decision, SourcePosition
from serving.api.app import create_app
from serving.api.live import Streams
from serving.console.console import Console
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists
from serving.stores.memory_online import MemoryOnline
from serving.stores.online import Catalogue
from tests.decisions import NOON_MS

NOW_MS = NOON_MS
DEFAULTS = {"user": {"user_count_1h": 0.0, "user_mean": -1.5}, "merchant": {"merchant_risk": 0.25}}
LIVES = {"user": {"user_count_1h": 3600}}
CATALOGUE = Catalogue("fs-1", {e: list(d.values()) for e, d in DEFAULTS.items()}, dict.fromkeys(DEFAULTS, 3600))


class Doubling:
    """A scorer that blocks what is dear, and reads state as the real one does."""

    model = "fraud@7"

    def score(self, tx, state):
        known = "seen" if state.read_state([f"user:{tx.user_id}"]) else "new"
        return Decision(
            event_id=tx.event_id,
            event_time_ms=tx.event_time_ms,
            user_id=tx.user_id,
            merchant_id=tx.merchant_id,
            amount=tx.amount,
            decision="BLOCK" if tx.amount > 100 else "APPROVE",
            score=0.5,
            reasons=[known],
            source=SourcePosition("transactions", 0, 1),
        )


class Broken:
    """A store or scorer whose every method fails."""

    model = ""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, name):
        def fail(*_):
            raise self._error

        return fail


class Log:
    """A log of interactions and labels in memory, which may be down."""

    def __init__(self):
        self.events = []
        self.shown = []
        self.down = False

    def append(self, event):
        if self.down:
            raise PartFailedError("Kafka at x: Local: Message timed out; send it again with the same event_id")
        self.events.append(event)

    def tell(self, shown, heard):
        heard(not self.down)
        if not self.down:
            self.shown.append(shown)


def app(**given):
    """The app over new stores, unless a test hands in its own parts."""
    names = itertools.count()
    parts = {
        "online": MemoryOnline(CATALOGUE, lambda: NOW_MS),
        "lists": MemoryLists(lambda: NOW_MS),
        "items": MemoryItems(lambda: NOW_MS),
        "history": MemoryHistory(180 * 86400, lambda: NOW_MS),
        "scorer": None,
        "log": Log(),
        "policy": RecommendPolicy,
        "defaults": DEFAULTS,
        "clock": lambda: NOW_MS,
        "new_id": lambda: f"new-{next(names)}",
        "console": Console(lambda: NOW_MS),
        "streams": Streams(lambda _: None),
        "replay": None,
        "runbook": {}.get,
        "feature_set": "fs-1",
    }
    return create_app(**(parts | given))


class Client:
    """Calls the app without a server."""

    def __init__(self, made):
        self._transport = httpx.ASGITransport(made, raise_app_exceptions=False)

    def request(self, method, path, **options):
        async def call():
            async with httpx.AsyncClient(transport=self._transport, base_url="http://sluice") as client:
                return await client.request(method, path, **options)

        return asyncio.run(call())

    def get(self, path, **options):
        return self.request("GET", path, **options)


def refusal(response, status):
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error", "way_out"}
    assert all(text and "\n" not in text for text in body.values())
    return body["error"]

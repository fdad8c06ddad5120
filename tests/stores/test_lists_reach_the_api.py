"""From an interaction in Kafka to the answer of the API, on the running stack."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import msgspec
import pytest
from confluent_kafka import Producer
from store_servers import Gate, gate

from jobs.names import RECOMMEND
from schemas import codec
from schemas.control import RecommendPolicy
from schemas.events import Item
from schemas.settings import Settings
from schemas.topics import ITEMS
from serving.api.app import create_app
from serving.api.live import Streams
from serving.console.console import Console
from serving.event_writer import EventWriter
from serving.stores import cassandra_history, redis_items, redis_lists, redis_online
from serving.stores.online import Catalogue

SEEN_S = 90
ITEMS_SENT = 40


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Shop:
    """A shop of its own on the running stack: nobody else uses its ids. The API reads Redis through a gate."""

    def __init__(self, given: Settings, door: Gate) -> None:
        self.name = secrets.token_hex(4)
        self.door = door
        self._producer = Producer({"bootstrap.servers": given.kafka.bootstrap, "partitioner": "murmur2_random"})
        redis = msgspec.structs.replace(given.redis, url=f"redis://127.0.0.1:{door.port}/0", timeout_ms=1000)
        self._log = EventWriter(given.kafka.bootstrap)
        self._stores = {
            "online": redis_online.connect(redis, Catalogue("none", {}, {})),
            "lists": redis_lists.connect(redis),
            "items": redis_items.connect(redis),
            "history": cassandra_history.connect(given.cassandra),
        }
        app = create_app(
            **self._stores,  # type: ignore[arg-type]  # each under its own name
            scorer=None,
            log=self._log,
            policy=RecommendPolicy,
            defaults={},
            clock=wall_ms,
            new_id=lambda: uuid4().hex,
            console=Console(wall_ms),
            streams=Streams(lambda _: None),
            replay=None,
            runbook=lambda _: None,
        )
        self._transport = httpx.ASGITransport(app)

    def item(self, number: int, **fields: object) -> str:
        now_ms, name = wall_ms(), f"{self.name}-i{number}"
        given = {"categories": [f"{self.name}-c{number % 4}"], "title": f"Thing {number}"} | fields
        entry = Item(event_id=uuid4().hex, event_time_ms=now_ms, item_id=name, created_ms=now_ms, **given)  # type: ignore[arg-type]  # fields by name
        self._producer.produce(ITEMS.name, codec.encode(entry), name.encode())
        assert self._producer.flush(30) == 0
        return name

    def act(self, user: str, number: int, segment: str = "") -> str:
        """A click by way of the API; returns its id."""
        body = {
            "user_id": f"{self.name}-{user}",
            "item_id": f"{self.name}-i{number}",
            "kind": "click",
            "context": {"segment": segment} if segment else {},
        }
        response = self._call("POST", "/interactions", json=body)
        assert response.status_code == 202, response.text
        return str(response.json()["event_id"])

    def get(self, path: str) -> dict:
        response = self._call("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def until(self, path: str, wanted, between=lambda: None) -> dict:
        """The answer, once it is as wanted."""
        deadline = time.monotonic() + SEEN_S
        while not wanted(body := self.get(path)):
            assert time.monotonic() < deadline, f"{path} after {SEEN_S} s: {str(body)[:2000]}"
            between()
            time.sleep(0.1)
        return body

    def close(self) -> None:
        for store in (*self._stores.values(), self._log):
            store.close()

    def _call(self, method: str, path: str, **options) -> httpx.Response:
        async def call() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://sluice") as client:
                return await client.request(method, path, **options)

        return asyncio.run(call())


@pytest.fixture(scope="module")
def shop(stack: Settings, run_job: Callable[[str, Settings], None]) -> Iterator[Shop]:
    run_job(RECOMMEND, stack)
    with gate(stack.stack.ports.redis) as door:
        made = Shop(stack, door)
        for number in range(ITEMS_SENT):
            made.item(number)
        # Items are known once lists name them.
        path = f"/recommendations/{made.name}-first"
        made.until(
            path, lambda body: any(made.name in i["item_id"] for i in body["items"]), lambda: made.act("first", 1)
        )
        yield made
        made.close()


def names(body: dict) -> list[str]:
    return [item["item_id"] for item in body["items"]]


@pytest.mark.stack
@pytest.mark.timeout(500)
class TestListsReachTheApi:
    def test_a_click_changes_the_list_that_the_api_reads(self, shop):
        path = f"/recommendations/{shop.name}-taste"
        assert shop.get(path)["origin"] != "list"
        shop.act("taste", 4)
        first = shop.until(path, lambda body: body["origin"] == "list")
        assert len(names(first)) == 20
        assert first["items"][0]["listed_position"] == 0
        shop.act("taste", 8)
        second = shop.until(path, lambda body: body["list_id"] != first["list_id"])
        assert second["event_time_ms"] > first["event_time_ms"]
        assert second["age_ms"] < SEEN_S * 1000

    def test_an_item_that_is_banned_or_sold_out_leaves_an_old_list_at_once(self, shop):
        shop.act("old", 3)
        path = f"/recommendations/{shop.name}-old?n=5"
        before = shop.until(path, lambda body: body["origin"] == "list")
        own = [name for name in names(before) if name.startswith(shop.name)][:2]
        assert own, before
        for name, gone in zip(own, ({"flags": ["banned"]}, {"stock": 0}), strict=False):
            shop.item(int(name.rpartition("-i")[2]), **gone)
        after = shop.until(path, lambda body: not set(own) & set(names(body)))
        assert after["list_id"] == before["list_id"], "the list itself is still the old one"
        assert len(names(after)) == 5

    def test_a_new_item_that_has_no_vector_has_similar_items(self, shop):
        name = shop.item(5000, categories=[f"{shop.name}-c1"])
        body = shop.until(
            f"/items/{name}/similar?n=5", lambda body: body["origin"] == "similar", lambda: shop.act("walker", 2)
        )
        alike = {f"{shop.name}-i{number}" for number in range(1, ITEMS_SENT, 4)}
        assert set(names(body)[:3]) <= alike
        assert body["items"][0]["source"] == "lookalike"

    def test_a_user_sees_the_lists_of_the_past_with_what_called_for_them(self, shop):
        causes = [shop.act("past", number) for number in (1, 2, 6)]
        body = shop.until(f"/recommendations/{shop.name}-past/history", lambda body: len(body["lists"]) == 3)
        assert [made["event_id"] for made in body["lists"]] == causes[::-1]
        places = body["lists"][0]["items"]
        assert [place["position"] for place in places] == list(range(20))
        assert all(0 < place["propensity"] <= 1 and "features" not in place for place in places)

    def test_without_redis_the_last_seen_trends_answer_with_their_age(self, shop):
        user = f"/recommendations/{shop.name}-taste"
        assert shop.get(user)["origin"] == "list"
        shop.door.shut()
        body = shop.get(user)
        assert body["origin"] == "trending"
        assert body["cached_ms"] is not None
        assert len(names(body)) == 20
        assert shop.get(f"/items/{shop.name}-i1/similar")["origin"] == "trending"
        shop.door.open()
        assert shop.until(user, lambda body: body["origin"] == "list")["cached_ms"] is None

    def test_without_redis_what_is_popular_in_the_segment_comes_before_the_trends(self, shop):
        # An item of its own, for others may be sold out by now.
        segment, liked = f"{shop.name}-night", shop.item(6000)
        path = f"/recommendations/{shop.name}-nobody?segment={segment}"
        shop.until(path, lambda body: body["origin"] == "segment", lambda: shop.act("owl", 6000, segment))
        shop.door.shut()
        body = shop.get(path)
        assert (body["origin"], names(body)[0]) == ("segment", liked)
        assert body["cached_ms"] is not None
        assert len(names(body)) == 20
        assert shop.get(f"/recommendations/{shop.name}-nobody?segment=nowhere")["origin"] == "trending"
        shop.door.open()
        assert shop.until(path, lambda body: body["cached_ms"] is None)["origin"] == "segment"

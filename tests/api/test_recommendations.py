"""Recommendations over in-memory stores: what comes from where, and what is answered when a part is down."""

from __future__ import annotations

import json

import msgspec
import pytest
from api_builders import NOW_MS, Broken, Client, app, refusal

from schemas import codec
from schemas.control import RecommendPolicy
from schemas.errors import StateVersionError, StoreError
from schemas.events import Item, RankedItem, Ranking, RecommendationList, Recommended
from serving.api.finder import REST_MS
from serving.api.last_seen import REFRESH_MS
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists
from serving.stores.online import Freshness

DOWN = StoreError("Redis at x: refused; see `sluice doctor`")


def listing(user, names, at_ms=NOW_MS - 2000, segment="west"):
    places = [Recommended(name, place, 0.5, "linear", 0.9) for place, name in enumerate(names)]
    return RecommendationList(
        event_id="cause", event_time_ms=at_ms, user_id=user, list_id="l1", items=places, segment=segment
    )


def ranking(kind, name, names, at_ms=NOW_MS - 3000):
    places = [RankedItem(one, 1 - place / len(names), "trending") for place, one in enumerate(names)]
    return Ranking(event_id="r", event_time_ms=at_ms, kind=kind, name=name, items=places)


def entry(name, at_ms=NOW_MS - 9000, **given):
    fields = {"title": f"The {name}", "categories": ["drama"], "price": 10.0}
    return Item(event_id="e", event_time_ms=at_ms, item_id=name, **(fields | given))


class Switch:
    """A store that can be switched off."""

    def __init__(self, store):
        self._store = store
        self.down = False
        self.calls = 0

    def __getattr__(self, name):
        def call(*arguments):
            self.calls += 1
            if self.down:
                raise DOWN
            return getattr(self._store, name)(*arguments)

        return call


class Shop:
    """A shop of forty items: a list and rankings, and an API with a clock that the test moves."""

    def __init__(self, **given):
        self.now_ms = NOW_MS
        self.lists = Switch(MemoryLists(lambda: self.now_ms))
        self.items = Switch(MemoryItems(lambda: self.now_ms))
        self.history = MemoryHistory(10**9, lambda: self.now_ms)
        self.items.write_entries([entry(f"i{n}", categories=[f"c{n % 4}"], price=float(n)) for n in range(40)])
        self.items.write_rankings(
            [
                ranking("trending", "all", [f"i{n}" for n in range(39, 9, -1)]),
                ranking("segment", "west", ["i20", "i21", "i3"]),
                ranking("segment", "east", ["i4", "i22"]),
                ranking("similar", "i1", ["i5", "i9", "i2"]),
            ]
        )
        self.lists.write_lists([listing("ann", [f"i{n}" for n in range(5)])])
        parts = {"lists": self.lists, "items": self.items, "history": self.history, "clock": lambda: self.now_ms}
        self.client = Client(app(**(parts | given)))

    def down(self, is_down=True):
        self.lists.down = self.items.down = is_down

    def get(self, path, **options):
        response = self.client.get(path, **options)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def shop():
    return Shop()


def names(body):
    assert [item["position"] for item in body["items"]] == list(range(len(body["items"])))
    found = [item["item_id"] for item in body["items"]]
    assert len(found) == len(set(found))
    return found


def test_the_streams_list_is_the_answer_with_titles_prices_and_its_age(shop):
    body = shop.get("/recommendations/ann?n=3")
    assert names(body) == ["i0", "i1", "i2"]
    assert {key: body[key] for key in ("user_id", "origin", "list_id", "event_time_ms", "age_ms", "cached_ms")} == {
        "user_id": "ann",
        "origin": "list",
        "list_id": "l1",
        "event_time_ms": NOW_MS - 2000,
        "age_ms": 2000,
        "cached_ms": None,
    }
    assert body["items"][1] == {
        "item_id": "i1",
        "position": 1,
        "score": 0.5,
        "source": "linear",
        "origin": "list",
        "listed_position": 1,
        "title": "The i1",
        "price": 1.0,
        "categories": ["c1"],
    }


def test_a_short_list_is_topped_up_from_the_segment_then_from_the_trends_each_item_once(shop):
    body = shop.get("/recommendations/ann?n=10")
    assert names(body) == ["i0", "i1", "i2", "i3", "i4", "i20", "i21", "i39", "i38", "i37"]
    assert [item["origin"] for item in body["items"]] == ["list"] * 5 + ["segment"] * 2 + ["trending"] * 3
    assert [item["listed_position"] for item in body["items"]][3:7] == [3, 4, None, None]
    assert body["origin"] == "list"


def test_a_segment_too_long_for_a_name_is_passed_over(shop):
    shop.lists.write_lists([listing("ann", ["i1"], segment="s" * 65)])
    assert [item["origin"] for item in shop.get("/recommendations/ann?n=2")["items"]] == ["list", "trending"]


@pytest.mark.parametrize(
    ("query", "origin", "first"),
    [("", "trending", "i39"), ("?segment=east", "segment", "i4"), ("?segment=moon", "trending", "i39")],
)
def test_an_unknown_user_gets_what_is_popular_in_the_segment_or_trending(shop, query, origin, first):
    body = shop.get(f"/recommendations/nobody{query}")
    assert (body["origin"], body["list_id"], body["age_ms"], names(body)[0]) == (origin, "", 3000, first)
    assert len(body["items"]) == 20


def test_a_request_in_another_segment_lifts_what_is_popular_there(shop):
    assert names(shop.get("/recommendations/ann?n=5&segment=west")) == ["i0", "i1", "i2", "i3", "i4"]
    # i4 is last of five, worth 0.2, and first in the segment, worth 0.5 more: only i0 and i1, worth 1 and 0.8, beat it.
    body = shop.get("/recommendations/ann?n=5&segment=east")
    assert names(body) == ["i0", "i1", "i4", "i2", "i3"]
    assert [item["listed_position"] for item in body["items"]] == [0, 1, 4, 2, 3]


def test_wishes_are_met_and_what_they_leave_out_is_made_up_for(shop):
    assert names(shop.get("/recommendations/ann?n=4&categories=c0&categories=c1")) == ["i0", "i1", "i4", "i20"]
    assert names(shop.get("/recommendations/ann?n=5&exclude=i0&exclude=i39")) == ["i1", "i2", "i3", "i4", "i20"]
    cheap = shop.get("/recommendations/ann?n=100&price_max=12")
    assert names(cheap) == ["i0", "i1", "i2", "i3", "i4", "i12", "i11", "i10"]
    nothing = shop.get("/recommendations/ann?categories=none")
    assert (nothing["origin"], nothing["items"], nothing["age_ms"]) == ("none", [], None)


def test_what_is_banned_or_sold_out_by_now_is_left_out_of_an_old_list_at_once(shop):
    assert names(shop.get("/recommendations/ann?n=5"))[0] == "i0"
    shop.items.write_entries([entry("i0", NOW_MS, flags=["banned"]), entry("i2", NOW_MS, stock=0)])
    shop.items.write_entries([entry("i20", NOW_MS, flags=["banned"])])
    assert names(shop.get("/recommendations/ann?n=5")) == ["i1", "i3", "i4", "i21", "i39"]
    shop.items.write_entries([entry("i2", NOW_MS + 1, stock=1)])
    assert "i2" in names(shop.get("/recommendations/ann?n=5"))


def test_the_policy_says_which_rules_hold_and_which_flags_are_banned():
    policy = RecommendPolicy(rules=("banned",), banned_flags=("recalled",))
    shop = Shop(policy=lambda: policy)
    shop.items.write_entries([entry("i0", NOW_MS, flags=["banned"]), entry("i1", NOW_MS, stock=0)])
    shop.items.write_entries([entry("i2", NOW_MS, flags=["recalled"])])
    assert names(shop.get("/recommendations/ann?n=4")) == ["i0", "i1", "i3", "i4"]


def test_an_item_without_an_entry_is_shown_unless_a_wish_needs_to_know_it(shop):
    shop.lists.write_lists([listing("ann", ["unheard", "i1"])])
    body = shop.get("/recommendations/ann?n=1")["items"][0]
    assert (body["item_id"], body["title"], body["price"], body["categories"]) == ("unheard", "", None, [])
    assert names(shop.get("/recommendations/ann?n=1&price_max=1000")) == ["i1"]


def test_while_the_store_is_down_the_last_seen_trends_answer_with_their_age(shop):
    shop.get("/recommendations/ann?segment=east")
    shop.down()
    shop.now_ms += 70_000
    body = shop.get("/recommendations/ann?n=5")
    assert (body["origin"], body["cached_ms"], body["age_ms"]) == ("trending", 70_000, 73_000)
    assert names(body) == ["i39", "i38", "i37", "i36", "i35"]
    assert body["items"][0]["title"] == "The i39"
    east = shop.get("/recommendations/nobody?segment=east&n=3")
    assert (east["origin"], east["cached_ms"], names(east)) == ("segment", 70_000, ["i4", "i22", "i39"])
    assert names(shop.get("/recommendations/ann?n=2&categories=c1")) == ["i37", "i33"]
    assert shop.get("/items/i1/similar?n=2")["origin"] == "trending"
    shop.down(False)
    shop.now_ms += REST_MS
    assert shop.get("/recommendations/ann?n=5")["origin"] == "list"


def test_a_store_that_is_down_is_left_in_peace_for_a_while(shop):
    shop.get("/recommendations/ann")
    shop.down()
    shop.get("/recommendations/ann")
    calls = shop.lists.calls + shop.items.calls
    for _ in range(5):
        shop.get("/recommendations/ann")
    assert shop.lists.calls + shop.items.calls == calls
    shop.now_ms += REST_MS
    shop.get("/recommendations/ann")
    assert shop.lists.calls + shop.items.calls > calls


def test_a_store_that_goes_down_between_two_reads_leaves_out_a_list_that_can_not_be_checked(shop):
    shop.get("/recommendations/ann")
    shop.items.down = True
    body = shop.get("/recommendations/ann?n=2")
    assert (body["origin"], names(body), body["cached_ms"]) == ("segment", ["i20", "i21"], 0)


def test_a_process_that_never_saw_the_store_answers_503_in_one_line():
    shop = Shop()
    shop.down()
    assert refusal(shop.client.get("/recommendations/ann"), 503) == "Redis at x: refused"
    assert refusal(shop.client.get("/items/i1/similar"), 503) == "Redis at x: refused"
    assert shop.client.get("/recommendations/ann").json()["way_out"] == "see `sluice doctor`"


def test_a_list_that_this_release_can_not_read_is_as_good_as_none():
    class Lists(MemoryLists):
        def read_list(self, _user_id):
            raise StateVersionError("stored list has encoding 99; upgrade")

    shop = Shop(lists=Lists(lambda: NOW_MS))
    for _ in range(2):
        body = shop.get("/recommendations/ann?segment=east")
        assert (body["origin"], body["cached_ms"], names(body)[:3]) == ("segment", None, ["i4", "i22", "i39"])
    assert shop.get("/recommendations/ann")["origin"] == "trending"
    assert 'sluice_api_unreadable_total{what="list"} 3.0' in shop.client.get("/metrics").text


class OtherRelease(MemoryItems):
    """Items of which some were written by another release."""

    strange: frozenset[str] = frozenset()

    def read_entries(self, item_ids):
        if not self.strange.isdisjoint(item_ids):
            raise StateVersionError("stored item has encoding 99; upgrade")
        return super().read_entries(item_ids)

    def read_rankings(self, keys):
        if not self.strange.isdisjoint(name for _, name in keys):
            raise StateVersionError("stored ranking has encoding 99; upgrade")
        return super().read_rankings(keys)


def test_an_entry_or_ranking_that_this_release_can_not_read_spoils_no_other(shop):
    items = OtherRelease(lambda: NOW_MS)
    items.write_entries([entry(f"i{n}", price=float(n)) for n in range(40)])
    items.write_rankings([ranking("trending", "all", ["i7", "i8", "i9"]), ranking("segment", "west", ["i3"])])
    items.strange = frozenset({"i1", "i8", "west"})
    shop.client = Client(app(lists=shop.lists, items=items))
    body = shop.get("/recommendations/ann?n=8&segment=west")
    assert names(body) == ["i0", "i1", "i2", "i3", "i4", "i7", "i8", "i9"]
    assert [item["price"] for item in body["items"]] == [0.0, None, 2.0, 3.0, 4.0, 7.0, None, 9.0]
    assert body["cached_ms"] is None
    told = shop.client.get("/metrics").text
    assert 'sluice_api_unreadable_total{what="ranking"}' in told
    assert 'sluice_api_unreadable_total{what="item"}' in told


def test_a_list_is_filled_up_without_what_its_user_bought_unless_the_policy_offers_that_again():
    made = msgspec.structs.replace(listing("ann", ["i0", "i1"]), bought=["i1", "i20", "i39"])
    shop = Shop()
    shop.lists.write_lists([made])
    # What the recommender listed itself stands: it knew.
    assert names(shop.get("/recommendations/ann?n=6")) == ["i0", "i1", "i21", "i3", "i38", "i37"]
    assert not {"i20", "i39"} & set(names(shop.get("/recommendations/ann?n=40")))
    shop = Shop(policy=lambda: RecommendPolicy(rules=("stock", "banned")))
    shop.lists.write_lists([made])
    assert names(shop.get("/recommendations/ann?n=6")) == ["i0", "i1", "i20", "i21", "i3", "i39"]


def test_a_shop_without_anything_is_no_error():
    body = Client(app()).get("/recommendations/ann").json()
    assert (body["origin"], body["items"], body["event_time_ms"]) == ("none", [], None)


def test_rankings_are_read_again_after_a_while_and_not_with_each_request(shop):
    assert names(shop.get("/recommendations/nobody?n=1")) == ["i39"]
    shop.items.write_rankings([ranking("trending", "all", ["i7"], NOW_MS)])
    shop.now_ms += REFRESH_MS - 1
    assert names(shop.get("/recommendations/nobody?n=1")) == ["i39"]
    shop.now_ms += 1
    assert names(shop.get("/recommendations/nobody?n=1")) == ["i7"]


def test_a_full_list_costs_two_reads(shop):
    shop.get("/recommendations/ann?n=5")
    before = shop.lists.calls + shop.items.calls
    shop.get("/recommendations/ann?n=5")
    assert shop.lists.calls + shop.items.calls - before == 2


def test_similar_items_come_first_then_trending_ones_of_its_categories(shop):
    body = shop.get("/items/i1/similar?n=6")
    assert (body["item_id"], body["origin"], body["age_ms"]) == ("i1", "similar", 3000)
    assert names(body) == ["i5", "i9", "i2", "i37", "i33", "i29"]
    assert [item["origin"] for item in body["items"]] == ["similar"] * 3 + ["trending"] * 3


def test_an_item_that_nobody_ranked_or_knows_has_trending_neighbours(shop):
    assert names(shop.get("/items/i38/similar?n=3")) == ["i34", "i30", "i26"]
    unknown = shop.get("/items/unheard/similar?n=2")
    assert (unknown["origin"], names(unknown)) == ("trending", ["i39", "i38"])


def test_similar_items_that_are_banned_or_sold_out_by_now_are_left_out(shop):
    shop.items.write_entries([entry("i5", NOW_MS, flags=["banned"]), entry("i9", NOW_MS, stock=0)])
    assert names(shop.get("/items/i1/similar?n=1")) == ["i2"]


@pytest.mark.parametrize("name", ["ключ-✓", "nul\0inside", "line\nbreak\n", "../..", "a b", "x" * 64, "q?r#s", "100%"])
def test_any_id_of_the_contract_can_be_asked_for(shop, name):
    shop.lists.write_lists([listing(name, ["i1"])])
    shop.history.write_lists([listing(name, ["i1"])])
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert shop.get(f"/recommendations/{quoted}")["user_id"] == name
    assert len(shop.get(f"/recommendations/{quoted}/history")["lists"]) == 1
    assert shop.get(f"/items/{quoted}/similar")["item_id"] == name


def test_the_history_gives_whole_lists_newest_first_in_pages(shop):
    log = [listing("ann", ["i1", "i2"], NOW_MS - n) for n in range(5)]
    shop.history.write_lists(log)
    first = shop.get("/recommendations/ann/history?limit=2")
    assert [made["event_time_ms"] for made in first["lists"]] == [NOW_MS, NOW_MS - 1]
    assert codec.decode(RecommendationList, json.dumps(first["lists"][0]).encode()) == log[0]
    rest = shop.get(f"/recommendations/ann/history?limit=9&until={first['next_until']}")
    assert len(rest["lists"]) == 3
    assert rest["next_until"] is None
    down = Client(app(history=Broken(StoreError("Cassandra at x: refused; wait"))))
    assert "Cassandra" in refusal(down.get("/recommendations/ann/history"), 503)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/recommendations/ann?n=0", "query.n"),
        ("/recommendations/ann?n=101", "query.n"),
        ("/recommendations/ann?price_max=-1", "query.price_max"),
        ("/recommendations/ann?price_max=nan", "query.price_max"),
        ("/recommendations/ann?segment=" + "s" * 65, "query.segment"),
        ("/recommendations/ann?" + "exclude=i&" * 101, "query.exclude"),
        ("/recommendations/" + "x" * 65, "path.user_id"),
        ("/recommendations/ann/history?limit=0", "query.limit"),
        ("/recommendations/ann/history?since=2&until=1", "since 2 is later than until 1"),
        ("/items/i1/similar?n=51", "query.n"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(shop, path, error):
    assert error in refusal(shop.client.get(path), 422)


def test_metrics_and_health_tell_where_items_came_from_and_how_fresh_lists_are(shop):
    shop.lists.mark(Freshness(NOW_MS - 40, NOW_MS - 15))
    shop.get("/recommendations/ann")
    shop.get("/recommendations/nobody")
    assert shop.get("/health")["lists"] == {"event_age_ms": 40, "written_age_ms": 15}
    shop.down()
    shop.get("/recommendations/ann")
    text = shop.client.get("/metrics").text
    assert 'sluice_api_shown_total{cached="no",origin="list",route="/recommendations"} 1.0' in text
    assert 'sluice_api_shown_total{cached="no",origin="trending",route="/recommendations"} 1.0' in text
    assert 'sluice_api_shown_total{cached="yes",origin="trending",route="/recommendations"} 1.0' in text
    assert "sluice_api_lists_event_age_ms NaN" in text
    assert 'route="/recommendations/{user_id:id}",status="200"} 3.0' in text

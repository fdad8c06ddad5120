"""The real data sets through the shipped mappings; skipped where they are not present."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from schemas.events import Interaction, Item, Label, Transaction
from schemas.units import DAY_MS
from serving.history.mapping import load
from serving.history.reader import events

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not present")

APRIL_MS = 1_522_540_800_000


def test_a_fortnight_of_the_handbook_has_its_transactions_and_the_labels_of_its_first_week() -> None:
    file = DATA / "fraud-handbook" / "transactions.parquet"
    found = list(events(file, load("fraud-handbook"), until_ms=APRIL_MS + 14 * DAY_MS))
    transactions = [event for event in found if isinstance(event, Transaction)]
    labels = [event for event in found if isinstance(event, Label)]
    times = [event.event_time_ms for event in found]
    assert times == sorted(times)
    first = transactions[0]
    assert (first.event_id, first.user_id, first.merchant_id, first.amount) == ("t0", "c596", "m3156", 57.16)
    assert first.event_time_ms == APRIL_MS + 31_000
    known = [t.event_id for t in transactions if t.event_time_ms < APRIL_MS + 7 * DAY_MS]
    assert [label.transaction_id for label in labels] == known
    assert 130_000 < len(transactions) < 140_000
    assert 0 < sum(label.is_fraud for label in labels) < 700


def test_online_retail_gives_the_lines_of_known_customers() -> None:
    left_out: Counter[str] = Counter()
    found = list(events(DATA / "online-retail" / "lines.parquet", load("online-retail"), left_out=left_out))
    assert all(isinstance(event, Interaction) and event.value > 0 for event in found)
    assert left_out == {"no customer": 135_080, "cancelled": 8_905, "no pieces": 0, "bad row": 0}
    assert len(found) == 541_909 - left_out.total() == len({event.event_id for event in found})


def test_movielens_gives_ratings_in_order_and_films_with_their_genres() -> None:
    ratings = list(events(DATA / "movielens-100k" / "ratings.csv.gz", load("movielens-100k")))
    films = list(events(DATA / "movielens-100k" / "items.csv.gz", load("movielens-100k-items")))
    assert len(ratings) == 100_000
    assert len({event.event_id for event in ratings}) == 100_000
    assert all(isinstance(event, Interaction) and 1 <= event.value <= 5 for event in ratings)
    assert [event.event_time_ms for event in ratings] == sorted(event.event_time_ms for event in ratings)
    assert {rating.item_id for rating in ratings if isinstance(rating, Interaction)} == {
        film.item_id for film in films if isinstance(film, Item)
    }
    assert all(isinstance(event, Interaction) and event.context["segment"] for event in ratings)
    first = films[0]
    assert isinstance(first, Item)
    assert (first.title, first.categories) == ("Toy Story", ["Animation", "Children's", "Comedy"])
    assert first.created_ms == 788_918_400_000  # 1995


def test_online_retail_gives_each_article_once() -> None:
    left_out: Counter[str] = Counter()
    found = list(events(DATA / "online-retail" / "lines.parquet", load("online-retail-items"), left_out=left_out))
    assert len(found) == len({item.item_id for item in found if isinstance(item, Item)}) == 3_922
    assert left_out.total() + len(found) == 541_909
    assert all(isinstance(item, Item) and item.title and item.price > 0 for item in found)
    assert all(isinstance(item, Item) and item.created_ms == item.event_time_ms for item in found)


@pytest.mark.parametrize(("policy", "clicks"), [("random", 46), ("bts", 69)])
def test_open_bandit_gives_impressions_and_clicks_by_place(policy: str, clicks: int) -> None:
    found = list(events(DATA / "open-bandit-men" / f"{policy}.csv.gz", load("open-bandit")))
    kinds = Counter(event.kind for event in found if isinstance(event, Interaction))
    assert kinds == {"view": 10_000 - clicks, "click": clicks}
    assert {event.position for event in found if isinstance(event, Interaction)} == {0, 1, 2}
    items = list(events(DATA / "open-bandit-men" / "item_context.csv.gz", load("open-bandit-items")))
    assert len(items) == 34
    assert {e.item_id for e in found if isinstance(e, Interaction)} <= {i.item_id for i in items if isinstance(i, Item)}

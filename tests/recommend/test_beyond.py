"""What is measured beyond accuracy equals a naive account of the same lists."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_builders import NOON_MS, item

from schemas.units import DAY_MS
from serving.recommend import content
from serving.recommend.beyond import Mean, Meter
from serving.recommend.items import Items

COUNT, LENGTH = 12, 4

listed = st.lists(st.integers(0, COUNT - 1), unique=True, max_size=LENGTH)
taken = st.tuples(st.integers(0, COUNT - 1), st.booleans())


def world(totals: list[int]) -> Items:
    items = Items()
    for number in range(COUNT):
        # Item 0 is made tomorrow, and the last two say nothing of themselves.
        categories = [] if number > COUNT - 3 else [f"kind{number % 3}", f"sort{number % 2}"]
        created_ms = NOON_MS + (1 - number) * DAY_MS
        items.put(item(number, event_time_ms=NOON_MS + DAY_MS, categories=categories, created_ms=created_ms))
    items.totals[:COUNT] = totals
    return items


def likeness(one: int, other: int, items: Items) -> float:
    words = [set(content.terms(items.entries[number].categories, "")) for number in (one, other)]
    if not words[0] or not words[1]:
        return 0.0
    return len(words[0] & words[1]) / (len(words[0]) * len(words[1])) ** 0.5


@settings(max_examples=100, deadline=None)
@given(
    totals=st.lists(st.integers(0, 50), min_size=COUNT, max_size=COUNT),
    lists=st.lists(listed, max_size=10),
    takes=st.lists(taken, max_size=10),
    newest=st.integers(1, 12),
)
def test_all_figures_are_those_of_a_naive_account(totals, lists, takes, newest):
    items, meter, recent = world(totals), Meter(LENGTH), Meter(LENGTH, newest)
    for numbers in lists:
        for each in (meter, recent):
            each.show(items, np.array(numbers, np.int32), NOON_MS)
    for number, hit in takes:
        meter.take(items, number, hit=hit)
    found = meter.figures()

    pairs = [fmean(likeness(a, b, items) for a, b in combinations(one, 2)) for one in lists if len(one) > 1]
    ages = [fmean(max(number - 1, 0) for number in one) for one in lists if one]
    popular = sorted(range(COUNT), key=lambda number: (-totals[number], number))[:LENGTH]
    hits = [number not in popular for number, hit in takes if hit]
    shown = [fmean(totals[number] for number in one) for one in lists if one]
    really = fmean(totals[number] for number, _ in takes) if takes else 0.0

    assert found.intra_list_similarity == pytest.approx(fmean(pairs) if pairs else 0.0)
    assert found.mean_item_age_days == pytest.approx(fmean(ages) if ages else 0.0)
    assert found.catalogue_coverage == len(set().union(*lists)) / COUNT
    assert found.serendipity == pytest.approx(fmean(hits) if hits else 0.0)
    assert found.popularity_lift == pytest.approx(fmean(shown) / really if shown and really else 0.0)
    assert recent.figures().catalogue_coverage == len(set().union(*lists[-newest:])) / COUNT


def test_a_mean_of_the_newest_follows_them_and_one_of_everything_does_not():
    newest, everything = Mean(10), Mean(10**9)
    for value in [0.0] * 100 + [1.0] * 100:
        newest.take(value)
        everything.take(value)
    assert newest.value > 0.999
    assert everything.value == pytest.approx(0.5)


def test_an_item_that_comes_later_counts_as_known_and_can_be_shown():
    items, meter = world([0] * COUNT), Meter(LENGTH)
    meter.show(items, np.array([1], np.int32), NOON_MS)
    for number in range(COUNT, 2000):
        items.put(item(number))
    meter.show(items, np.array([1999], np.int32), NOON_MS)
    assert meter.figures().catalogue_coverage == 2 / 2000

"""The index and the vectors around it: against brute force, while items come, change, are refused, and models swap."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_builders import NOON_MS, act, catalogue, item

from schemas.errors import SignatureError
from schemas.units import DAY_MS
from serving.recommend import vectors as vectors_file
from serving.recommend.index import Index, sound, unit
from serving.recommend.items import Items
from serving.recommend.vectors import Vectors
from serving.recommend.world import World

DIMENSION = 8


class Drawn:
    """An embedding whose vectors follow from the item's id and price; `wrong` has what it says of some ids instead."""

    label = "drawn@1"
    dimension = DIMENSION
    refresh_ms = None

    def __init__(self, wrong=None, refresh_ms=None):
        self.wrong = wrong or {}
        self.refresh_ms = refresh_ms

    def vector(self, items, number):
        if items.ids[number] in self.wrong:
            return self.wrong[items.ids[number]]
        return np.random.default_rng([number, int(items.prices[number])]).normal(size=DIMENSION)

    def prepare(self, items, numbers, _now_ms):
        made = [self.vector(items, number) for number in numbers]
        return numbers, lambda: np.array(made, np.float32).reshape(-1, DIMENSION)

    def user(self, user, _segment, _now_ms, vectors):
        return vectors[: user.known_size].sum(axis=0)

    def voices(self, products):
        return products


def shop(count: int) -> Items:
    items = Items()
    for entry in catalogue(count):
        items.put(entry)
    return items


def asked(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)


def true(model: Drawn, items: Items, vector: np.ndarray, count: int) -> list[int]:
    products = [float(model.vector(items, n).astype(np.float32) @ vector) for n in range(len(items))]
    return sorted(range(len(items)), key=lambda n: -products[n])[:count]


def test_the_index_finds_what_brute_force_finds():
    drawn = np.random.default_rng(4).normal(size=(3000, 16)).astype(np.float32)
    numbers = np.arange(3000, dtype=np.int32) * 2
    index = Index("x#1", numbers, drawn)
    assert index.recall > 0.95
    assert not index.exact
    hits = 0
    for query in drawn[:100] + 0.1:
        best = numbers[np.argsort(-(drawn @ query))[:10]]
        hits += len(set(index.search(query, 10)) & set(best))
    assert hits > 950


def test_vectors_in_the_index_have_norm_one_and_keep_the_order_of_products():
    drawn = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
    made = unit(drawn)
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    query = np.array([1.0, -2.0, 0.5, 0.1])
    assert np.array_equal(np.argsort(drawn @ query), np.argsort(made @ np.append(query, 0.0)))


def test_the_libraries_of_index_and_towers_load_in_one_process():
    """Which of the two comes first was once a matter of life and death."""
    for first, second in (("index", "embeddings.two_tower"), ("embeddings.two_tower", "index")):
        code = f"import serving.recommend.{first}, serving.recommend.{second}"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_equal_vectors_are_no_miss():
    assert Index("x#1", np.arange(500, dtype=np.int32), np.ones((500, 4), np.float32)).recall == 1.0


def test_an_index_of_nothing_finds_nothing():
    index = Index("x#1", np.zeros(0, np.int32), np.zeros((0, 4), np.float32))
    assert len(index.search(np.ones(4, np.float32), 5)) == 0
    assert not index.exact


def test_vectors_of_zero_of_no_number_and_beyond_measure_are_refused_and_a_wrong_dimension_is_said():
    drawn = np.ones((6, 3), np.float32)
    drawn[1], drawn[2, 0], drawn[3, 1], drawn[4] = 0.0, np.nan, np.inf, 1e9
    assert sound("x", drawn, (6, 3)).tolist() == [True, False, False, False, False, True]
    with pytest.raises(SignatureError, match=r"x: vectors of shape \(6, 3\), not \(6, 4\); train"):
        sound("x", drawn, (6, 4))


@given(st.lists(st.tuples(st.integers(0, 79), st.integers(1, 5)), max_size=40), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_whatever_comes_and_changes_the_nearest_are_those_of_brute_force(changes, seed):
    model, items = Drawn(), shop(40)
    vectors = Vectors(model)
    for number, price in changes:
        vectors.follow(items, NOON_MS)
        items.put(item(number, price=float(price)))
    vectors.follow(items, NOON_MS)
    query = asked(seed)
    assert vectors.nearest(query, 10).tolist() == true(model, items, query, 10)


def test_a_refused_vector_is_counted_and_its_item_is_not_found_until_it_has_another():
    wrong = {"i3": np.zeros(DIMENSION), "i5": np.full(DIMENSION, np.nan)}
    items, vectors = shop(20), Vectors(Drawn(wrong))
    vectors.follow(items, NOON_MS)
    assert vectors.refused == 2
    assert set(vectors.nearest(asked(1), 50)) == set(range(20)) - {3, 5}
    assert len(vectors.index) == 18
    del wrong["i3"]
    items.put(item(3, price=99.0))
    vectors.follow(items, NOON_MS)
    assert vectors.refused == 1
    assert 3 in vectors.nearest(asked(1), 50)


def test_a_model_with_vectors_of_another_length_is_an_error_of_the_model():
    model = Drawn({"i1": np.ones(DIMENSION)})
    model.prepare = lambda items, numbers, now_ms: (numbers, lambda: np.ones((len(numbers), 3), np.float32))
    with pytest.raises(SignatureError, match="train them again"):
        Vectors(model).follow(shop(5), NOON_MS)


def test_a_change_of_stock_makes_no_vector_and_one_of_price_does():
    items, vectors = shop(10), Vectors(Drawn())
    vectors.follow(items, NOON_MS)
    before = vectors.matrix.copy()
    items.put(item(4, stock=3))
    assert items.revision == 10
    vectors.follow(items, NOON_MS)
    assert np.array_equal(vectors.matrix, before)
    items.put(item(4, price=11.0, stock=3))
    vectors.follow(items, NOON_MS)
    assert not np.array_equal(vectors.matrix[4], before[4])


def test_a_new_index_is_built_when_much_has_changed_and_lists_do_not_wait_for_it(monkeypatch):
    monkeypatch.setattr(vectors_file, "MOST_CHANGED", 5)
    waiting: list[tuple[Future, object]] = []

    def later(task):
        waiting.append((Future(), task))
        return waiting[-1][0]

    def finish():
        future, task = waiting.pop()
        future.set_result(task())

    model, items = Drawn(), shop(12)
    vectors = Vectors(model, later)
    vectors.follow(items, NOON_MS)
    assert vectors.index is None
    assert vectors.nearest(asked(2), 5).tolist() == true(model, items, asked(2), 5)
    finish()
    vectors.follow(items, NOON_MS)
    assert vectors.index.version == "drawn@1#1"
    for number in range(12, 17):
        items.put(item(number))
        vectors.follow(items, NOON_MS)
    assert not waiting
    items.put(item(17))
    vectors.follow(items, NOON_MS)
    assert len(waiting) == 1
    items.put(item(2, price=50.0))  # after the build began: it holds the vector of before
    vectors.follow(items, NOON_MS)
    finish()
    vectors.follow(items, NOON_MS)
    assert vectors.index.version == "drawn@1#2"
    assert len(vectors.index) == 18
    for seed in range(5):
        assert vectors.nearest(asked(seed), 18).tolist() == true(model, items, asked(seed), 18)


def test_vectors_that_follow_behaviour_are_made_anew_after_their_time():
    items, vectors = shop(5), Vectors(Drawn(refresh_ms=DAY_MS))
    vectors.follow(items, NOON_MS)
    vectors.follow(items, NOON_MS + DAY_MS - 1)
    assert vectors.builds == 1
    vectors.follow(items, NOON_MS + DAY_MS)
    assert vectors.builds == 2
    assert vectors.index.version == "drawn@1#2"


def test_an_index_that_finds_too_little_is_not_asked(monkeypatch):
    model, items = Drawn(), shop(30)
    monkeypatch.setattr(Index, "_recall", lambda *_: 0.949)
    monkeypatch.setattr(Index, "search", lambda *_: pytest.fail("it was asked"))
    vectors = Vectors(model)
    vectors.follow(items, NOON_MS)
    assert vectors.index.exact
    assert vectors.nearest(asked(3), 10).tolist() == true(model, items, asked(3), 10)


def test_indexes_are_swapped_while_others_are_searched(monkeypatch):
    """One thread asks and follows, as a job does; builds run in another, without end."""
    monkeypatch.setattr(vectors_file, "MOST_CHANGED", 3)
    model, items, versions = Drawn(), shop(400), set()
    with ThreadPoolExecutor(1) as pool:
        vectors = Vectors(model, pool.submit)
        vectors.follow(items, NOON_MS)
        for turn in range(2000):
            items.put(item(turn % 400, price=float(1 + turn % 7)))
            vectors.follow(items, NOON_MS)
            versions.add(vectors.index.version if vectors.index else "")
            if turn % 10 == 0:
                found = vectors.nearest(asked(turn), 5).tolist()
                assert len(set(found) & set(true(model, items, asked(turn), 5))) >= 4
            if len(versions) > 4:
                break
        assert len(versions) > 2


def test_one_index_answers_many_threads_alike():
    drawn = np.random.default_rng(6).normal(size=(2000, DIMENSION)).astype(np.float32)
    index = Index("x#1", np.arange(2000, dtype=np.int32), drawn)
    want = [index.search(query, 10).tolist() for query in drawn[:50]]
    wrong: list[int] = []

    def ask():
        for _ in range(5):
            wrong.extend(n for n, query in enumerate(drawn[:50]) if index.search(query, 10).tolist() != want[n])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_after_a_restart_the_index_holds_what_the_state_holds():
    kept: dict[str, bytes] = {}
    first = World(kept.get)
    for entry in catalogue(30):
        first.put(entry)
    first.learn(act("u", 3, NOON_MS))
    kept.update(first.take_writes())
    found = []
    for world in (first, World(kept.get)):
        vectors = Vectors(Drawn())
        vectors.follow(world.items, NOON_MS)
        found.append((vectors.matrix[:30].tolist(), vectors.nearest(asked(7), 10).tolist(), len(vectors.index)))
    assert found[0] == found[1]

"""Sketches: merged in any order they say the same, they are of bounded size, and their bytes stay readable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drift_builders import PLACES, START_MS, WATCHED, make_reference, scores, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StateVersionError
from schemas.units import HOUR_MS
from serving.drift import reports, sketch
from serving.drift.describe import describe
from serving.drift.grid import Grid
from serving.drift.hysteresis import Held, held
from serving.drift.sketch import Sketch, from_bytes

REFERENCE = make_reference()
GRID = Grid([*REFERENCE.features.values(), REFERENCE.score, REFERENCE.components.error])
FROZEN = Path(__file__).parent / "frozen/sketch.v1"


def filled(seed, count):
    rng = np.random.default_rng(seed)
    made = Sketch(GRID.empty())
    rows = np.column_stack([vectors(rng, count, rng.random())[:, PLACES], scores(rng, count), rng.random(count)])
    kinds = rng.choice(["APPROVE", "BLOCK"], count).tolist()
    made.add(GRID, rows, kinds, [f"m{n % 5}" for n in range(count)])
    return made


def described(found):
    def hold(_subject, value, limits, likely):
        return held(Held(), value, limits, START_MS, likely=likely)

    window = reports.Window("fraud@1", "", START_MS, START_MS + HOUR_MS, HOUR_MS, hold)
    return list(
        reports.of_window(
            found, WATCHED, REFERENCE, reports.Mixes({"APPROVE": 0.5, "BLOCK": 0.5}, {"m1": 0.2, "m9": 0.1}), window
        )
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 80), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_sketches_merged_in_any_order_give_the_same_report(counts, chance):
    whole = Sketch(GRID.empty())
    shuffled = Sketch(GRID.empty())
    order = list(enumerate(counts))
    for seed, count in order:
        whole.merge(filled(seed, count))
    chance.shuffle(order)
    for seed, count in order:
        shuffled.merge(filled(seed, count))
    assert described(whole) == described(shuffled)
    assert whole.heaviest() == shuffled.heaviest()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.floats(-10, 10) | st.just(float("nan")), min_size=2, max_size=2), max_size=40))
def test_the_compiled_count_is_that_of_searchsorted(rows):
    columns = [
        describe(np.array([-3.0, 0.5, 2.0, 2.0, 7.0]), np.array([0.5, 2.0])),
        describe(np.arange(9.0), np.array([4.0])),
    ]
    grid = Grid(columns)
    values = np.array(rows, float).reshape(-1, 2)
    counts, odd, extremes = grid.empty(), np.zeros((2, 2), np.int64), np.tile([np.inf, -np.inf], (2, 1))
    grid.count(values, counts, odd, extremes)
    for place, column in enumerate(columns):
        known = values[:, place][~np.isnan(values[:, place])]
        wanted = np.bincount(np.searchsorted(column.fine_edges, known, "left"), minlength=counts.shape[1])
        assert counts[place].tolist() == wanted.tolist()
        assert odd[place].tolist() == [len(values) - len(known), sum((known < column.low) | (known > column.high))]


def test_a_sketch_survives_its_bytes():
    made = filled(1, 300)
    back = from_bytes(made.to_bytes())
    assert back.to_bytes() == made.to_bytes()
    assert described(back) == described(made)


def test_bytes_that_were_ever_written_are_still_read():
    assert described(from_bytes(FROZEN.read_bytes())) == described(filled(7, 300))


@pytest.mark.parametrize(("raw", "said"), [(b"\x91\x63", "version 99"), (b"", "can not be read")])
def test_bytes_of_another_version_are_refused_by_name(raw, said):
    with pytest.raises(StateVersionError, match=said):
        from_bytes(raw)


def test_memory_does_not_grow_with_the_number_of_answers():
    small, large = len(filled(1, 5_000).to_bytes()), len(filled(1, 200_000).to_bytes())
    assert large < small + 2_000
    columns = len(WATCHED) + 2
    assert len(Sketch(GRID.empty()).to_bytes()) / columns < 500


def of_names(names, known=None):
    made = Sketch(GRID.empty(), named=known)
    made.add(GRID, np.zeros((len(names), len(WATCHED) + 2)), ["APPROVE"] * len(names), names)
    return made


def test_among_thousands_of_names_the_known_ones_are_counted_exactly_in_any_order_of_merging():
    rng = np.random.default_rng(4)
    parts = [[f"m{n}" for n in (rng.pareto(0.8, 3_000) * 40).astype(int)] for _ in range(12)]
    assert len({name for part in parts for name in part}) > 3_000
    known = [f"m{n}" for n in range(20)]
    told = []
    for order in (range(12), reversed(range(12)), rng.permutation(12)):
        whole = Sketch(GRID.empty(), named=known)
        for place in order:
            whole.merge(of_names(parts[place], known))
        told.append((whole.heaviest(), described(whole), whole.to_bytes()))
    assert told[0] == told[1] == told[2]
    every = [name for part in parts for name in part]
    assert dict(told[0][0]) == {name: every.count(name) for name in known}
    assert from_bytes(told[0][2]).named == dict(told[0][0])


def test_what_was_estimated_before_the_names_were_known_is_kept_and_counted_on():
    made = of_names(["a"] * 300 + ["b"] * 200 + ["c"] * 100)
    made.name(["a", "b", "new"])
    made.add(GRID, np.zeros((3, len(WATCHED) + 2)), ["APPROVE"] * 3, ["a", "c", "new"])
    assert made.heaviest() == [("a", 301), ("b", 200), ("new", 1)]
    assert len(made.to_bytes()) < len(of_names([f"x{n}" for n in range(600)]).to_bytes())


def test_a_name_of_which_less_was_counted_than_may_be_missing_is_not_called_heavy():
    """Its share would be far too low, and the next day, counted exactly, would seem to have drifted."""
    names = [f"m{n}" for n in np.random.default_rng(5).permutation(np.repeat(np.arange(4_000), 5))]
    assert of_names([*names, *["often"] * 1_000]).heaviest() == [("often", 1_000)]


def test_names_that_come_often_are_counted_among_thousands_that_do_not():
    made = Sketch(GRID.empty())
    names = [f"x{n}" if n % 10 else "often" for n in range(20_000)]
    made.add(GRID, np.zeros((20_000, len(WATCHED) + 2)), ["APPROVE"] * 20_000, names)
    name, count = made.heaviest()[0]
    # The bound of frequent items: 3.5 of the total over the size of its table.
    assert name == "often"
    assert 2_000 - 3.5 * 20_000 / 2**sketch.LG_HEAVY <= count <= 2_000


def test_many_names_in_few_answers_do_not_drift_by_chance():
    """Twenty names in two hundred answers move by PSI 0.1 on most days."""
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, 22)
    shares = {f"m{n:02}": float(share) for n, share in enumerate(weights / weights.sum())}

    def hold(_subject, value, limits, likely):
        return held(Held(), value, limits, START_MS, likely=likely)

    window = reports.Window("fraud@1", "", START_MS, START_MS + HOUR_MS, HOUR_MS, hold)
    levels = []
    for _ in range(1000):
        counts = rng.multinomial(200, list(shares.values()))
        given = dict(zip(shares, counts.tolist(), strict=True))
        levels.append(reports._mix(given, 200, shares, window, "feature", reports.NAMES).level)
    assert levels.count("none") >= 999

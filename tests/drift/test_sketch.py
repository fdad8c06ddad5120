"""Sketches: merged in any order they say the same, they are of bounded size, and their bytes stay readable."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drift_builders import PLACES, START_MS, WATCHED, make_reference, scores, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StateVersionError
from schemas.units import HOUR_MS
from serving.drift import reports, sketch
from serving.drift.answers import Answers
from serving.drift.describe import describe
from serving.drift.grid import Grid
from serving.drift.hysteresis import Held, held
from serving.drift.model_watch import ModelWatch
from serving.drift.sketch import Sketch, from_bytes
from serving.features.catalogue import NAMES

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


PARTS = st.lists(st.integers(50, 400), min_size=2, max_size=8)


@settings(max_examples=30, deadline=None)
@given(PARTS, st.integers(0, 2**16), st.randoms(use_true_random=False))
def test_more_names_than_are_kept_are_within_their_bound_in_any_order_of_merging(counts, seed, chance):
    """Lower bounds that lack at most 3.5 / 2 ** 10 of all: what passes that is found, whatever was merged first."""
    rng = np.random.default_rng(seed)
    parts = [[f"m{n}" for n in (rng.pareto(0.5, 5 * count) * 20).astype(np.int64)] for count in counts]
    chance.shuffle(parts)
    whole = Sketch(GRID.empty())
    for part in parts:
        whole.merge(of_names(part))
    every = Counter(name for part in parts for name in part)
    missing = 3.5 * every.total() / 2**sketch.LG_HEAVY
    told = dict(whole.heaviest())
    assert all(every[name] - missing <= count <= every[name] for name, count in told.items())
    heavy = [name for name, count in every.most_common(sketch.HEAVIEST) if count > 2 * missing]
    assert all(name in told or every[name] <= min(told.values()) + missing for name in heavy)


def of_values(values):
    made = Sketch(np.zeros((0, 1), np.int64), 2)
    made.add(None, np.column_stack([values, values]), [], [])
    return made


# So far off is a rank q of a merged t-digest, as a share of q (1 - q).
RANK_ERROR = 0.25


@settings(max_examples=30, deadline=None)
@given(PARTS, st.integers(0, 2**16), st.randoms(use_true_random=False))
def test_quantiles_without_a_reference_are_within_their_bound_in_any_order_of_merging(counts, seed, chance):
    """Two orders differ by twice the bound at most."""
    rng = np.random.default_rng(seed)
    parts = [rng.gamma(1 + n % 3, 1, 5 * count) for n, count in enumerate(counts)]
    chance.shuffle(parts)
    whole = of_values(parts[0])
    for part in parts[1:]:
        whole.merge(of_values(part))
    values = np.sort(np.concatenate(parts))
    (digest, _) = whole.digests
    for share in np.arange(0.05, 1, 0.05):
        value = digest.get_quantile(share)
        bound = RANK_ERROR * share * (1 - share) + 1 / len(values)
        assert abs(np.searchsorted(values, value) / len(values) - share) <= bound
        assert abs(digest.get_rank(value) - share) <= bound
    assert (whole.extremes[0, 0], whole.extremes[0, 1]) == (values[0], values[-1])


def answers_of_an_hour(hour, shift):
    """A hundred answers, as many names, most of them never seen again."""
    rng = np.random.default_rng(hour)
    rows, names = vectors(rng, 100, shift), [f"m{n}" for n in (rng.pareto(0.5, 100) * 20).astype(np.int64)]
    kinds = rng.choice(["APPROVE", "BLOCK"], 100).tolist()
    return Answers(NAMES, rows.tolist(), scores(rng, 100).tolist(), kinds, names)


def told_of(order):
    """Reports and state of a model without a reference, whose windows of 30 hours come in that order."""
    watch = ModelWatch("ranker@1", NAMES, None, window_min=60, min_samples=50)
    begin_ms = watch.window_start(START_MS)
    for hour in order:
        watch.take("", begin_ms + hour * HOUR_MS, answers_of_an_hour(hour, 0))
    told = list(watch.close(begin_ms + 24 * HOUR_MS))
    assert watch.take_writes()
    # Now that there is a reference, an hour that drifts among those that do not.
    for hour in [30, *(hour for hour in order if hour >= 24)]:
        watch.take("", begin_ms + hour * HOUR_MS, answers_of_an_hour(hour, 2.0 if hour == 26 else 0))
    return told + list(watch.close(begin_ms + 31 * HOUR_MS))


def test_a_model_without_a_reference_is_told_of_alike_in_any_order_of_its_windows():
    """More names than the sketch has room for, and digests: both depend on what is merged first."""
    names = {name for hour in range(24) for name in answers_of_an_hour(hour, 0).heavy}
    assert len(names) > 0.75 * 2**sketch.LG_HEAVY
    chance = random.Random(1)
    first = told_of(range(30))
    assert {"none", "significant"} <= {report.level for report in first}
    assert {"names", "mix"} <= {report.name for report in first}
    for order in (list(range(29, -1, -1)), chance.sample(range(30), 30), chance.sample(range(30), 30)):
        assert told_of(order) == first

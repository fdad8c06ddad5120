"""What the watch of drift costs is measured in pairs by turns, on a stack that is made of numbers."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from infra.bench import drift
from infra.bench.drift import PAIRS, Cost, measure
from infra.bench.run import FULL
from schemas.settings import Settings

COST = Cost(1.0, 1.0, 1.0, 1.0, 1, 1.0)


@pytest.fixture
def ran(monkeypatch):
    """What is drained, with whether the watch ran meanwhile, on a machine that gets slower with each run."""
    runs, watched = [], [False]

    @contextmanager
    def watching(_):
        watched[0] = True
        yield
        watched[0] = False

    def drain(*_, count, **__):
        runs.append((watched[0], count))
        return SimpleNamespace(per_s=(0.9 if watched[0] else 1.0) * 3_500 * 0.97 ** len(runs))

    monkeypatch.setattr(drift, "_watching", watching)
    monkeypatch.setattr(drift.throughput, "drain", drain)
    monkeypatch.setattr(drift, "cost", lambda *_: COST)
    return runs


def test_backlogs_are_drained_by_turns_beside_the_watch_and_without(ran):
    found = measure(Settings(), None, backlog=10_000, answers=1, users=1)
    assert ran == [(True, 2_000), (True, 4_000), (False, 4_000)] * PAIRS
    assert len(found.pairs) == PAIRS
    assert found.lowest_ratio <= found.ratio <= found.highest_ratio
    assert found.ratio == pytest.approx(0.9 / 0.97, abs=0.001)


def test_three_pairs_drain_no_more_than_three_whole_backlogs(ran):
    """So that there is time left in which the watch starts three times."""
    measure(Settings(), None, backlog=FULL.backlog, answers=1, users=1)
    assert sum(count for _, count in ran) <= 3 * FULL.backlog


def test_the_median_of_pairs_stands_between_the_lowest_and_the_highest():
    pairs = [drift.Pair(90.0, 100.0), drift.Pair(98.0, 100.0), drift.Pair(60.0, 100.0)]
    found = drift.overhead(pairs, COST)
    assert (found.lowest_ratio, found.ratio, found.highest_ratio) == (0.6, 0.9, 0.98)

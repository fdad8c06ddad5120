"""Where sources bring more than there is room for, each gets its part of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recommend_builders import NOON_MS, act, control, recommender

from schemas.control import SourceShare
from serving.recommend.funnel import source_name
from serving.recommend.sources.catalogue import NAMES
from serving.recommend.workspace import turns


def disjoint(counts):
    """Scores of sources that agree on nothing, each falling from row to row."""
    scores = np.zeros((sum(counts), len(counts)), np.float32)
    row = 0
    for source, count in enumerate(counts):
        scores[row : row + count, source] = np.linspace(2, 1, count)
        row += count
    return scores


def test_each_source_has_turns_in_proportion_to_its_quota_and_puts_in_its_best():
    counts = (500, 400, 300, 50)
    kept = turns(disjoint(counts), np.array(counts, np.float32), 250)
    assert len(kept) == 250
    assert np.all(np.diff(kept) > 0)
    start = 0
    for count in counts:
        own = kept[(kept >= start) & (kept < start + count)] - start
        assert abs(len(own) - 250 * count / sum(counts)) <= 1
        assert own.tolist() == list(range(len(own)))
        start += count


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 60), st.integers(0, 9))
def test_turns_keep_as_many_as_asked_and_the_best_of_every_source_that_there_is_room_for(counts, most, seed):
    chance = np.random.default_rng(seed)
    scores = disjoint(counts)[chance.permutation(sum(counts))]
    kept = turns(scores, np.full(len(counts), 30.0, np.float32), most)
    assert len(kept) == min(most, len(scores))
    present = sum(count > 0 for count in counts)
    if most >= present:
        best = {int(scores[:, source].argmax()) for source, count in enumerate(counts) if count}
        assert best <= set(kept.tolist())


@pytest.mark.parametrize("last", ["fresh"])
def test_the_last_source_of_the_catalogue_is_not_crowded_out_of_a_small_pool(last):
    assert NAMES[-1] == last
    made = recommender(300)
    made.learn(act(f"u{n}", 100 + n, NOON_MS + n) for n in range(200))
    rules = control(
        candidates=20, ranked=20, rules=("stock",), sources={"trending": SourceShare(200), last: SourceShare(50)}
    )
    leads: Counter[str] = Counter()
    made.recommend(
        "nobody", NOON_MS + 300, rules, watch=lambda one, _: leads.update(map(source_name, one.ranked.lead.tolist()))
    )
    assert leads == {"trending": 16, last: 4}

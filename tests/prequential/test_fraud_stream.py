"""The fraud stream by weeks: what is reported, and what the ensemble may know when."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from jobs.evaluate_learners import fraud_examples, fraud_report
from jobs.evaluate_learners.fraud_ensembles import linear, pool
from jobs.evaluate_learners.fraud_examples import CUT_MS, LABEL_DELAY_MS, TO_MS, examples
from jobs.evaluate_learners.fraud_stream import (
    CAME_LATER,
    CHAMPION,
    CHOSEN_WEEKS,
    ENSEMBLE,
    INPUTS,
    LINEAR,
    NAMES,
    ONLINE,
    champion_parameters,
    measure,
)
from jobs.train_fraud import quality
from jobs.train_fraud.examples import Examples
from schemas.errors import InputError
from schemas.instants import milliseconds
from schemas.pool import PARTS
from schemas.units import DAY_MS, WEEK_MS
from serving.features.catalogue import FEATURE_SET
from serving.online.models import Member, blend

FROM_MS = milliseconds("2018-06-25")


def _known(seed: int = 1, count: int = 6000) -> tuple[Examples, np.ndarray]:
    random = np.random.default_rng(seed)
    times_ms = np.sort(random.integers(FROM_MS, TO_MS, count))
    frauds = random.random(count) < 0.1
    known = Examples(
        vectors=np.zeros((count, 1), np.float32),
        times_ms=times_ms,
        amounts=np.ones(count),
        users=["u"] * count,
        ids=[f"t{n}" for n in range(count)],
        verdict_rows=np.arange(count),
        known_ms=times_ms + LABEL_DELAY_MS,
        verdicts=frauds,
    )
    return known, frauds


def _scores(frauds: np.ndarray, skill: float, seed: int) -> np.ndarray:
    raw = skill * frauds + np.random.default_rng(seed).normal(-2, 1, len(frauds))
    return 1 / (1 + np.exp(-raw))


def _all(known, champion, online):
    together = {LINEAR: linear(known, champion, online), ENSEMBLE: pool(known, champion, online)}
    return {CHAMPION: champion, ONLINE: online} | together


@pytest.fixture(scope="module")
def run():
    known, frauds = _known()
    champion, online = _scores(frauds, 1.5, 2), _scores(frauds, 1.5, 3)
    scores = _all(known, champion, online)
    return known, scores, measure(known, scores)


def test_weeks_for_choosing_are_measured_and_not_reported(run):
    known, scores, found = run
    assert [week.reported for week in found.weeks][: CHOSEN_WEEKS + 1] == [False] * CHOSEN_WEEKS + [True]
    assert found.weeks[-1].from_ms + WEEK_MS <= TO_MS
    rows = known.between(CUT_MS + CHOSEN_WEEKS * WEEK_MS, found.weeks[-1].from_ms + WEEK_MS)
    truth = known.frauds()
    for name in NAMES:
        expected = quality.average_precision(truth[rows], scores[name][rows])
        assert fraud_report.figures(found)[name]["average_precision"] == expected
    weeks = [week.figures[ONLINE]["average_precision"] for week in found.weeks if week.reported]
    assert fraud_report.figures(found)[ONLINE]["average_precision_of_weeks"] == pytest.approx(np.mean(weeks))


def test_two_independent_answers_are_better_together(run):
    found = fraud_report.figures(run[2])
    alone = max(found[name]["average_precision"] for name in (CHAMPION, ONLINE))
    assert min(found[name]["average_precision"] for name in (LINEAR, ENSEMBLE)) > alone


@pytest.mark.parametrize("together", [linear, pool])
def test_an_ensemble_knows_no_label_before_its_time(together):
    known, frauds = _known()
    champion, online = _scores(frauds, 1.0, 2), _scores(frauds, 2.0, 3)
    week_ms = CUT_MS + 3 * WEEK_MS
    # What is known later than the begin of that week turns around.
    late = known.known_ms > week_ms
    turned = Examples(**{**known.__dict__, "verdicts": np.where(late, ~known.verdicts, known.verdicts)})
    before, after = together(known, champion, online), together(turned, champion, online)
    until = known.times_ms < week_ms + (WEEK_MS if together is pool else DAY_MS)
    assert np.array_equal(before[until], after[until])
    assert not np.array_equal(before, after)


def test_the_table_and_the_picture_hold_every_week_and_answer(run):
    found = run[2]
    told = fraud_report.table(found)
    assert told.count("(for choosing)") == CHOSEN_WEEKS
    drawn = ElementTree.fromstring(fraud_report.picture(found))
    lines = [one for one in drawn if one.tag.endswith("polyline")]
    assert len(lines) == len(NAMES)
    assert all(len(line.attrib["points"].split()) == len(found.weeks) for line in lines)
    words = [one.text for one in drawn if one.tag.endswith("text")]
    assert set(NAMES) <= set(words)


def test_the_champion_has_the_features_that_its_published_figures_are_of():
    inputs = champion_parameters().inputs
    assert len(inputs) == 147
    assert CAME_LATER.isdisjoint(inputs)
    assert set(INPUTS) < set(inputs)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The cache of a data file, kept by a run."""
    (tmp_path / fraud_examples.FILE).write_bytes(b"payments")
    monkeypatch.setattr(fraud_examples.reader, "events", lambda *_, **__: iter(()))
    monkeypatch.setattr(fraud_examples, "backfill", lambda *_, **__: _known(count=3)[0])
    _examples(tmp_path)
    return tmp_path / f"fraud-handbook-{FEATURE_SET}.npz"


def _examples(folder: Path) -> Examples:
    return examples(folder, folder, lambda _count, _time_ms: None)


def test_what_was_kept_is_read_again(cache, monkeypatch):
    monkeypatch.setattr(fraud_examples, "backfill", lambda *_, **__: pytest.fail("it was kept"))
    assert _examples(cache.parent).ids == ["t0", "t1", "t2"]
    assert sorted(one.suffix for one in cache.parent.iterdir()) == [".npz", ".parquet"]


def test_a_cache_of_another_data_file_is_refused(cache):
    (cache.parent / fraud_examples.FILE).write_bytes(b"other payments")
    with pytest.raises(InputError, match=r"npz is of another transactions\.parquet; delete the file"):
        _examples(cache.parent)


@pytest.mark.parametrize("left", [0, 10, 900])
def test_a_broken_cache_is_named(cache, left):
    cache.write_bytes(cache.read_bytes()[:left])
    with pytest.raises(InputError, match="delete the file"):
        _examples(cache.parent)


def test_a_cache_that_can_not_be_written_is_refused_before_the_features_are_made(cache, monkeypatch):
    monkeypatch.setattr(fraud_examples, "backfill", lambda *_, **__: pytest.fail("too late"))
    with pytest.raises(InputError, match="--cache "):
        examples(cache.parent, cache, lambda _count, _time_ms: None)


def test_the_ensemble_that_is_measured_is_the_pool_of_the_scoring_job(run):
    known, scores, _ = run
    rows = np.flatnonzero(known.times_ms >= CUT_MS + 3 * WEEK_MS)[:200]
    week = known.between(CUT_MS + 3 * WEEK_MS, CUT_MS + 4 * WEEK_MS)
    rows = np.intersect1d(rows, np.arange(len(known))[week])
    vectors = np.column_stack([scores[ONLINE][rows]])

    class Said:
        def score(self, vector):
            return vector[0]

    blends = [blend([Member("m", Said(), part)], vectors, scores[CHAMPION][rows]).scores for part in PARTS]
    assert any(np.allclose(one, scores[ENSEMBLE][rows], atol=1e-12) for one in blends)

"""Segments: each is compared with its own first day, in what it is given and in how well it is judged."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from drift_builders import MODEL, PLACES, START_MS, WATCHED, Run, found, hours, make_reference, record, vectors

from schemas.errors import StateVersionError
from schemas.settings import Drift
from schemas.units import DAY_MS, HOUR_MS
from serving.drift.baseline import Baseline
from serving.drift.performance import KEY, Performance

REFERENCE = make_reference()
NONE, SIGNIFICANT = "none", "significant"
FIRST_MS = 20_400 * DAY_MS
GOLD = Drift(sample_permille=1000, segments=["gold"])


def with_gold(count, shifts, *, gold_per_hour=100, **fields):
    """Hours of everybody, and of a segment that pays more: its first feature is shifted as `shifts` says."""
    gold = hours(count, gold_per_hour, shifts, segment="gold", **fields)
    rest = hours(count, 300, {}, seed=5, segment="iron")
    return sorted(gold + rest, key=lambda record: record.arrival_ms)


def test_segments_of_the_settings_are_told_apart_and_others_are_part_of_all():
    run = Run(GOLD, given=REFERENCE).feed(with_gold(27, {25: 3.0}, gold_per_hour=250))
    assert {report.segment for report in run.reports} == {"", "gold"}
    all_of_it, of_gold = (found(run.reports, WATCHED[0], segment=s)[-1] for s in ("", "gold"))
    assert (of_gold.samples, all_of_it.samples) == (250, 550)
    assert all_of_it.value < of_gold.value
    assert of_gold.level == SIGNIFICANT


def test_a_segment_that_has_always_been_different_is_calm():
    run = Run(GOLD, given=REFERENCE).feed(with_gold(54, {0: 3.0}, gold_per_hour=250, decision="REVIEW"))
    told = [report for report in run.reports if report.segment == "gold"]
    assert {r.level for r in told} == {NONE}
    compared = {r.name for r in told if r.measure == "psi"}
    assert {*WATCHED, "score", "reconstruction", "mix", "names"} <= compared
    assert {r.measure for r in told} >= {"mean_shift", "unread_share"}


def test_a_segment_that_changes_is_found_by_the_hour_and_by_the_day():
    run = Run(GOLD, given=REFERENCE).feed(with_gold(54, {0: 3.0, 40: 6.0}, gold_per_hour=250))
    begun = START_MS + 41 * HOUR_MS
    by_hour = found(run.reports, WATCHED[0], segment="gold")
    assert {r.since_ms for r in by_hour if r.level == SIGNIFICANT} == {begun}
    assert [r.level for r in by_hour[-13:]] == [SIGNIFICANT] * 13
    assert found(run.reports, WATCHED[0], segment="gold", hours=24)[-1].level == SIGNIFICANT
    others = [r for name in WATCHED[1:] for r in found(run.reports, name, segment="gold")]
    assert {r.level for r in others} == {NONE}


def test_before_its_first_day_is_over_a_segment_is_told_of_what_asks_for_no_distribution():
    log = with_gold(10, {0: 3.0}, gold_per_hour=250)
    broken = vectors(np.random.default_rng(0), 1)[0].tolist()
    broken[PLACES[1]] = None
    log += [record(9_000 + n, START_MS + 9 * HOUR_MS + n, broken, segment="gold") for n in range(300)]
    log += with_gold(12, {})[-4 * 400 :]
    run = Run(GOLD, given=REFERENCE).feed(sorted(log, key=lambda one: one.arrival_ms))
    told = [report for report in run.reports if report.segment == "gold"]
    assert {r.measure for r in told} <= {"unread_share", "null_share", "outside_share", "range_ratio"}
    assert found(told, WATCHED[1], "null_share", segment="gold")[0].level == SIGNIFICANT


def test_a_segment_of_few_answers_waits_for_a_day_with_enough():
    # 2,000 are 84 an hour.
    few = hours(24, 80, {0: 3.0}, segment="gold")
    more = hours(54, 90, {0: 3.0}, seed=9, segment="gold")[24 * 90 :]
    log = sorted([*few, *more, *hours(54, 300, {}, seed=5)], key=lambda one: one.arrival_ms)
    run = Run(Drift(sample_permille=1000, segments=["gold"], min_samples=50), given=REFERENCE).feed(log)
    begun = min(r.window_end_ms for r in found(run.reports, WATCHED[0], segment="gold"))
    assert begun == START_MS - START_MS % HOUR_MS + 49 * HOUR_MS


# Quantiles of a model's own first day are sketched, and are not the same to the last digit in a restored sketch.
@pytest.mark.parametrize(
    ("given", "hours_before"), [(REFERENCE, (20, 40, 52)), (None, (30, 52))], ids=["of training", "of its first day"]
)
def test_segments_are_restored_whether_or_not_their_first_day_is_over(given, hours_before):
    log = with_gold(54, {0: 3.0, 50: 6.0})
    whole = Run(GOLD, given=given).feed(log)
    for cut in (hour * 400 + 17 for hour in hours_before):
        first = Run(GOLD, given=given).feed(log[:cut])
        second = Run(GOLD, given=given, state=first.state).feed(log[cut:])
        assert first.reports + second.reports == whole.reports
        assert second.state == whole.state


def test_state_of_before_segments_had_a_first_day_is_read_and_begins_one():
    log = with_gold(54, {0: 3.0}, gold_per_hour=250)
    first = Run(GOLD, given=REFERENCE).feed(log[: 26 * 550])
    (key,) = (key for key in first.state if key.startswith("watch/"))
    first.state[key] = msgspec.msgpack.encode(msgspec.msgpack.decode(first.state[key])[:9])
    (own,) = (key for key in first.state if key.startswith("first/"))
    del first.state[own]
    second = Run(GOLD, given=REFERENCE, state=first.state).feed(log[26 * 550 :])
    told = found(second.reports, WATCHED[0], segment="gold")
    assert {r.level for r in told} == {NONE}
    assert own in second.state


def test_a_segments_first_day_in_the_bins_of_another_reference_is_forgotten():
    first = Run(GOLD, given=REFERENCE).feed(with_gold(27, {0: 3.0}, gold_per_hour=250))
    (own,) = (key for key in first.state if key.startswith("first/"))
    finer = msgspec.structs.replace(REFERENCE.score, fine_edges=[n / 500 for n in range(1, 500)])
    other = msgspec.structs.replace(REFERENCE, score=finer)
    state = {key: raw for key, raw in first.state.items() if not key.startswith("window/")}
    (key,) = (key for key in state if key.startswith("watch/"))
    kept = msgspec.msgpack.decode(state[key])
    kept[7] = []
    state[key] = msgspec.msgpack.encode(kept)
    again = Run(GOLD, given=other, state=state)
    assert again.watch.take_writes()[own] is None
    del first.state[own]
    with pytest.raises(StateVersionError, match="lacks the first day of gold"):
        Run(GOLD, given=REFERENCE, state=first.state)


def drawn(seed, count=3_000):
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(-2, 2, count)))
    return scores, rng.random(count) < scores


def confused(performance, shares, segment="gold"):
    """Levels of the realised and the estimated ROC AUC of days on which so many labels have nothing to do with scores.

    Scores are less sure from then on, too, so that the estimate can see it.
    """
    levels = {"roc_auc": [], "roc_auc_estimated": []}
    for day, share in enumerate(shares):
        scores, labels = drawn(day)
        rng = np.random.default_rng(100 + day)
        scores = np.where(rng.random(3_000) < share, 0.5, scores)
        labels = np.where(rng.random(3_000) < share, rng.random(3_000) < 0.5, labels)
        at = FIRST_MS + day * DAY_MS
        performance.answer(MODEL, segment, [at + n for n in range(3_000)], scores.tolist())
        for n, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True)):
            performance.learn(MODEL, segment, at + n, at + n, score, float(label), None)
        for report in performance.close():
            if report.measure in levels:
                levels[report.measure].append(report.level)
    return levels


def test_a_segment_that_is_harder_than_the_training_of_everybody_is_no_fall():
    levels = confused(Performance({}.get, lambda _: Baseline({"roc_auc": 0.95}), label_days=0), [0.3] * 6)
    assert levels == {"roc_auc": ["none"] * 5, "roc_auc_estimated": ["none"] * 5}


def test_a_segment_that_gets_harder_than_it_was_is_a_fall():
    performance = Performance({}.get, lambda _: Baseline({"roc_auc": 0.5}), label_days=0)
    levels = confused(performance, [0.3] * 3 + [0.8] * 3)
    assert levels == {measure: ["none"] * 3 + ["significant"] * 2 for measure in levels}


def test_what_a_segment_is_compared_with_is_restored_and_goes_with_its_model():
    state = {}
    first = Performance(state.get, lambda _: Baseline({"roc_auc": 0.5}), label_days=0)
    confused(first, [0.3] * 3)
    state |= first.take_writes()
    again = Performance(state.get, lambda _: Baseline({"roc_auc": 0.5}), label_days=0)
    assert again._kept.firsts == first._kept.firsts != {}
    later = FIRST_MS + 40 * DAY_MS
    again.learn("fraud@2", "", later, later, 0.5, 0.0, None)
    list(again.close())
    assert again._kept.firsts == {}


def test_state_of_before_figures_of_segments_were_kept_is_read():
    state = {}
    first = Performance(state.get, lambda _: Baseline({"roc_auc": 0.95}), label_days=0)
    confused(first, [0.3] * 3)
    state |= first.take_writes()
    *before, firsts = msgspec.msgpack.decode(state[KEY])
    assert firsts
    state[KEY] = msgspec.msgpack.encode(before)
    again = Performance(state.get, lambda _: Baseline({"roc_auc": 0.95}), label_days=0)
    assert again._kept.firsts == {}
    assert again._kept.levels == first._kept.levels

"""How models stand, as gauges: the newest word on each subject, for as long as it is news."""

from __future__ import annotations

from drift_builders import MODEL, START_MS

from schemas.measures import MEASURES
from schemas.units import DAY_MS, HOUR_MS
from schemas.watching import DriftReport
from serving.drift.standing import MOST_DRIFTING, Standing


def word(level="significant", name="amount", *, at_ms=START_MS, **fields):
    given = {
        "model": MODEL,
        "subject": "feature",
        "measure": "psi",
        "value": 0.4,
        "limit": 0.2,
        "samples": 500,
    } | fields
    return DriftReport(
        event_id=f"{name}-{at_ms}", event_time_ms=at_ms, name=name, level=level, window_start_ms=at_ms - HOUR_MS,
        window_end_ms=at_ms, **given,
    )  # fmt: skip


class Told:
    """What the gauges show."""

    def __init__(self):
        self.gauges = {}
        self.standing = Standing(lambda *_: None, self._gauge)

    def hear(self, *reports):
        self.standing.hear(reports)
        return self.gauges

    def _gauge(self, metric, value, label):
        self.gauges[metric.name, label] = value


def test_the_newest_word_on_a_subject_counts_and_the_one_before_does_not():
    told = Told()
    assert told.hear(word(), word(name="hour"))["drifted", "feature"] == 2
    assert told.hear(word("none", at_ms=START_MS + HOUR_MS, value=0.01))["drifted", "feature"] == 1
    assert told.gauges["drift_psi_permille", "feature"] == 400


def test_a_model_that_answers_no_more_is_forgotten_when_another_one_is_told_of():
    told = Told()
    told.hear(word(model="fraud@1"))
    assert told.hear(word("none", model="fraud@2", at_ms=START_MS + 2 * DAY_MS))["drifted", "feature"] == 1
    assert told.hear(word("none", model="fraud@2", at_ms=START_MS + 4 * DAY_MS))["drifted", "feature"] == 0


def test_a_retired_model_that_drifted_in_every_measure_is_forgotten_beside_a_calm_one_that_tells_psi_alone():
    told = Told()
    told.hear(*(word(model="fraud@1", measure=measure) for measure in MEASURES["feature"]))
    calm = {"model": "fraud@2", "value": 0.01}
    assert told.hear(word("none", at_ms=START_MS + 3 * DAY_MS - 1, **calm))["drifted", "feature"] == 1
    assert told.hear(word("none", at_ms=START_MS + 3 * DAY_MS, **calm))["drifted", "feature"] == 0
    assert told.gauges["drift_psi_permille", "feature"] == 10


def test_the_ten_features_that_drift_most_have_a_gauge_each_and_one_that_leaves_them_is_zero():
    told = Told()
    told.hear(*(word(name=f"f{place:02}", value=0.2 + place / 100) for place in range(MOST_DRIFTING + 1)))
    shown = {label: value for (name, label), value in told.gauges.items() if name == "drifting_psi_permille"}
    assert shown == {f"f{place:02}": 200 + 10 * place for place in range(1, MOST_DRIFTING + 1)}
    told.hear(word("none", name="f10", value=0.01, at_ms=START_MS + HOUR_MS))
    assert told.gauges["drifting_psi_permille", "f10"] == 0
    assert told.gauges["drifting_psi_permille", "f00"] == 200


def test_the_gauge_of_a_feature_is_the_largest_psi_of_all_models_on_all_traffic_and_zero_once_it_is_old():
    told = Told()
    told.hear(word(model="fraud@1", value=0.3), word(model="fraud@2", value=0.5), word(segment="gold", value=0.9))
    told.hear(word(measure="wasserstein", value=7.0), word(name="calm", level="none", value=0.05))
    assert told.gauges["drifting_psi_permille", "amount"] == 500
    assert ("drifting_psi_permille", "calm") not in told.gauges
    told.hear(word("none", name="calm", value=0.05, at_ms=START_MS + 4 * DAY_MS))
    assert told.gauges["drifting_psi_permille", "amount"] == 0


def test_every_figure_of_the_model_that_most_is_known_of_is_a_gauge():
    told = Told()
    fields = {"subject": "performance", "measure": "f1", "name": "f1", "limit": 0.0}
    small = word("none", model="fraud@2", value=0.1, samples=20, **fields)
    large = word("none", model="fraud@1", value=0.87, samples=9_000, **fields)
    segment = word("none", model="fraud@1", value=0.5, samples=10_000, segment="gold", **fields)
    assert told.hear(large, small, segment)["performance_permille", "f1"] == 870


def test_what_labels_say_of_a_day_long_ago_is_news_beside_an_estimate_of_today():
    told = Told()
    fields = {"subject": "performance", "name": "roc_auc", "limit": 0.0}
    told.hear(word("none", measure="roc_auc_estimated", value=0.9, at_ms=START_MS + 31 * DAY_MS, **fields))
    told.hear(word(measure="roc_auc", value=0.7, **fields))
    assert told.gauges["performance_permille", "roc_auc"] == 700
    assert told.gauges["drifted", "performance"] == 1

"""What a learner tells of is a function of what it is handed: no course is needed to say it."""

from __future__ import annotations

from learn_builders import NAMES

from online_learning import outgoing
from online_learning.catalogue import definition
from online_learning.contradictions import Change
from online_learning.detectors import Watch
from online_learning.outgoing import RECENT_MS, Place, Standing
from online_learning.prequential import Figures
from schemas.watching import Alert, DriftReport

NOON_MS = 1_784_116_800_000
LOGISTIC = definition("fraud-logistic")
PLACE = Place(LOGISTIC, NOON_MS, examples=9_000)


def _watch() -> Watch:
    watch = Watch("adwin", seed=1)
    watch.now, watch.before, watch.samples = 0.25, 0.125, 700
    return watch


def _alert(**fields: object) -> Alert:
    common = {"event_time_ms": NOON_MS, "since_ms": NOON_MS - 60_000, "labels": {"learner": "fraud-logistic"}}
    return Alert(**common, **fields)


def test_a_drift_of_errors_names_the_planned_reactions_and_one_of_scores_has_none():
    fields = {
        "event_time_ms": NOON_MS,
        "model": "fraud-logistic",
        "name": "fraud-logistic",
        "measure": "adwin",
        "value": 0.25,
        "limit": 0.125,
        "level": "significant",
        "samples": 700,
        "window_start_ms": NOON_MS,
        "window_end_ms": NOON_MS,
        "since_ms": NOON_MS,
    }
    planned = f"planned: {'+'.join(LOGISTIC.reactions)}"
    assert outgoing.drift(PLACE, _watch(), "error") == DriftReport(
        event_id="fraud-logistic-error-9000", subject="error", action=planned, **fields
    )
    assert outgoing.drift(PLACE, _watch(), "score") == DriftReport(
        event_id="fraud-logistic-score-9000", subject="score", **fields
    )


def test_alerts_name_the_learner_and_what_was_measured():
    assert outgoing.drifted(PLACE, _watch(), "alert") == _alert(
        event_id="fraud-logistic-LearnerDrifted-firing-9000",
        name="LearnerDrifted",
        severity="warning",
        state="firing",
        summary="errors of fraud-logistic drifted from 0.1250 to 0.2500 (adwin); reaction: alert",
        value=0.25,
        limit=0.125,
    )
    assert outgoing.fell_back(PLACE, "a prediction was not finite") == _alert(
        event_id="fraud-logistic-LearnerFellBack-firing-9000",
        name="LearnerFellBack",
        severity="critical",
        state="firing",
        summary="fraud-logistic went back to its last good snapshot: a prediction was not finite",
        value=0.0,
        limit=0.0,
    )


def test_labels_are_held_back_until_they_are_released_or_discarded():
    told = [
        outgoing.quarantine(PLACE, Change([], event, examples=40, share=0.5, usual=0.01))
        for event in ("raised", "released", "discarded")
    ]
    assert [(alert.event_id, alert.state, alert.value, alert.limit) for alert in told] == [
        ("fraud-logistic-LabelsContradict-firing-9000", "firing", 0.5, 0.01),
        ("fraud-logistic-LabelsContradict-resolved-9000", "resolved", 0.5, 0.01),
        ("fraud-logistic-LabelsContradict-resolved-9000", "resolved", 0.5, 0.01),
    ]
    assert told[0].summary == (
        "40 labels that contradict fraud-logistic are held back until they prove to be a change: "
        "50.00% of the newest labels, usually 1.00%"
    )


def test_a_snapshot_carries_the_model_its_figures_and_what_speaks_against_it():
    standing = Standing(
        model=LOGISTIC.learner(NAMES),
        learned=8_000,
        figures=Figures(8_500, {"log_loss": 0.25}, {"log_loss": 0.125}, {}),
        duel={"promotion_gain": 0.5},
        opponent="fraud@1",
        forgetting=0.75,
        quarantined=True,
        fell_back_ms=NOON_MS - RECENT_MS,
    )
    told = outgoing.snapshot(PLACE, standing)
    assert (told.event_id, told.event_time_ms, told.examples) == ("fraud-logistic-s-8000", NOON_MS, 8_000)
    assert (told.learner, told.task, told.kind, told.opponent) == ("fraud-logistic", "fraud", "linear", "fraud@1")
    assert told.metrics == {
        "log_loss": 0.25,
        "rolling_log_loss": 0.125,
        "promotion_gain": 0.5,
        "forgetting": 0.75,
        "quarantined": 1.0,
        "fell_recently": 0.0,
    }

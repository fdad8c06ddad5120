"""The events that a learner's course tells of. Their ids follow from the examples, so that replays repeat them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from online_learning.contradictions import Change
from online_learning.definition import Definition
from online_learning.detectors import Watch
from online_learning.holdout import Verdict
from online_learning.learner import Learner
from online_learning.prequential import Figures
from online_learning.promotion import FELL_RECENTLY, QUARANTINED
from schemas.events import Snapshot
from schemas.snapshots import pack
from schemas.units import DAY_MS, MINUTE_MS
from schemas.watching import Alert, AlertSeverity, DriftReport

DRIFTED, CONTRADICTED, FELL_BACK = "LearnerDrifted", "LabelsContradict", "LearnerFellBack"
# So long after a fallback a learner is not promoted.
RECENT_MS = DAY_MS
_CHANGED: dict[str, str] = {
    "raised": "are held back until they prove to be a change",
    "released": "proved to be a change and are learned",
    "discarded": "did not prove to be a change and were not learned",
}


@dataclass(frozen=True)
class Place:
    """Which learner tells something, at which event time, and after how many examples of the log."""

    definition: Definition
    now_ms: int
    examples: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A model that passed, after `learned` examples that it learned, and how its learner stands.

    `duel` are the figures beside the `opponent`. `fell_back_ms` is when it last went back to its last good model.
    """

    model: Learner
    learned: int
    figures: Figures
    duel: dict[str, float]
    opponent: str
    forgetting: float
    quarantined: bool
    fell_back_ms: int | None


def snapshot(place: Place, standing: Standing) -> Snapshot:
    """The last good model. Raises InvalidError when no reader could use it."""
    kind, payload, sha256 = pack(standing.model.model())
    figures = standing.figures
    metrics = {f"rolling_{name}": value for name, value in figures.rolling.items()} | figures.overall
    return Snapshot(
        event_id=f"{place.definition.name[:40]}-s-{standing.learned}",
        event_time_ms=place.now_ms,
        learner=place.definition.name,
        task=place.definition.task,
        kind=kind,
        examples=standing.learned,
        feature_set=place.definition.feature_set,
        payload=payload,
        sha256=sha256,
        metrics=metrics | _state(place, standing) | standing.duel,
        opponent=standing.opponent,
    )


def _state(place: Place, standing: Standing) -> dict[str, float]:
    """What speaks against a learner, whatever its verdict (online_learning/promotion.py)."""
    fell = standing.fell_back_ms
    return {
        "forgetting": standing.forgetting,
        QUARANTINED: float(standing.quarantined),
        FELL_RECENTLY: float(fell is not None and place.now_ms < fell + RECENT_MS),
    }


def drift(place: Place, watch: Watch, subject: Literal["error", "score"]) -> DriftReport:
    """Values that drifted: their newest mean, beside the one before."""
    planned = "+".join(place.definition.reactions) if subject == "error" else ""
    return DriftReport(
        event_id=_id(place, subject),
        event_time_ms=place.now_ms,
        model=place.definition.name,
        subject=subject,
        name=place.definition.name,
        measure=watch.name,
        value=watch.now,
        limit=watch.before,
        level="significant",
        samples=watch.samples,
        window_start_ms=place.now_ms,
        window_end_ms=place.now_ms,
        since_ms=place.now_ms,
        # They follow a minute later, unless the holdout slice says that the learner is at fault.
        action=f"planned: {planned}" if planned else "",
    )


def drifted(place: Place, watch: Watch, action: str) -> Alert:
    """Somebody should know that the errors drifted."""
    return _alert(
        place,
        DRIFTED,
        "warning",
        f"errors of {place.definition.name} drifted from {watch.before:.4f} to {watch.now:.4f} ({watch.name}); "
        f"reaction: {action}",
        value=watch.now,
        limit=watch.before,
    )


def quarantine(place: Place, change: Change) -> Alert:
    """Labels that contradict are held back, or are not any more."""
    return _alert(
        place,
        CONTRADICTED,
        "critical",
        f"{change.examples} labels that contradict {place.definition.name} {_CHANGED[change.event or '']}: "
        f"{change.share:.2%} of the newest labels, usually {change.usual:.2%}",
        state="firing" if change.event == "raised" else "resolved",
        value=change.share,
        limit=change.usual,
    )


def got_worse(place: Place, verdict: Verdict) -> Alert:
    """A model got worse on the holdout slice, and the one before is back."""
    by = "squared error" if place.definition.kind == "bandit" else "log loss"
    why = (
        f"{by} {verdict.candidate:.4f} on the {verdict.examples} newest held-out examples, "
        f"where that has {verdict.last_good:.4f}"
    )
    return fell_back(place, why, verdict.candidate, verdict.last_good)


def fell_back(place: Place, why: str, value: float = 0.0, limit: float = 0.0) -> Alert:
    """The last good model is back in force."""
    summary = f"{place.definition.name} went back to its last good snapshot: {why}"
    return _alert(place, FELL_BACK, "critical", summary[:1000], value=value, limit=limit)


def _alert(
    place: Place,
    name: str,
    severity: AlertSeverity,
    summary: str,
    *,
    value: float,
    limit: float,
    state: Literal["firing", "resolved"] = "firing",
) -> Alert:
    return Alert(
        event_id=_id(place, f"{name}-{state}"),
        event_time_ms=place.now_ms,
        name=name,
        severity=severity,
        state=state,
        summary=summary,
        value=value,
        limit=limit,
        since_ms=max(0, place.now_ms - MINUTE_MS),
        labels={"learner": place.definition.name},
    )


def _id(place: Place, what: str) -> str:
    return f"{place.definition.name[:24]}-{what}-{place.examples}"[:64]

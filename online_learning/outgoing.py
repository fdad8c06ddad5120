"""The events that a learner's course tells of. Their ids follow from the examples, so that replays repeat them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from online_learning.contradictions import MINUTE_MS, Change
from online_learning.detectors import Watch
from online_learning.holdout import Verdict
from online_learning.promotion import FELL_RECENTLY, QUARANTINED
from schemas.events import Snapshot
from schemas.snapshots import pack
from schemas.watching import Alert, AlertSeverity, DriftReport

if TYPE_CHECKING:
    from online_learning.course import Course

DRIFTED, CONTRADICTED, FELL_BACK = "LearnerDrifted", "LabelsContradict", "LearnerFellBack"
# So long after a fallback a learner is not promoted.
RECENT_MS = 24 * 3600 * 1000
_CHANGED: dict[str, str] = {
    "raised": "are held back until they prove to be a change",
    "released": "proved to be a change and are learned",
    "discarded": "did not prove to be a change and were not learned",
}


def snapshot(course: Course, *, between: bool = False) -> Snapshot:
    """The last good model, or `between` two of them that of now. Raises InvalidError when no reader could use it."""
    model, examples = (course.learner, course.learned) if between else (course.last_good, course.last_good_examples)
    kind, payload, sha256 = pack(model.model())
    figures = course.figures
    metrics = {f"rolling_{name}": value for name, value in figures.rolling.items()} | figures.overall
    return Snapshot(
        event_id=f"{course.definition.name[:40]}-s-{examples}",
        event_time_ms=course.now_ms,
        learner=course.definition.name,
        task=course.definition.task,
        kind=kind,
        examples=examples,
        feature_set=course.definition.feature_set,
        payload=payload,
        sha256=sha256,
        metrics=metrics | _state(course) | course.challenge.metrics(),
        opponent=course.challenge.opponent.name,
    )


def _state(course: Course) -> dict[str, float]:
    """What speaks against a learner, whatever its verdict (online_learning/promotion.py)."""
    fell = course.fell_back_ms
    return {
        "forgetting": course.forgetting,
        QUARANTINED: float(course.quarantine.raised),
        FELL_RECENTLY: float(fell is not None and course.now_ms < fell + RECENT_MS),
    }


def drift(course: Course, watch: Watch, subject: Literal["error", "score"]) -> DriftReport:
    """Values that drifted: their newest mean, beside the one before."""
    planned = "+".join(course.definition.reactions) if subject == "error" else ""
    return DriftReport(
        event_id=_id(course, subject),
        event_time_ms=course.now_ms,
        model=course.definition.name,
        subject=subject,
        name=course.definition.name,
        measure=watch.name,
        value=watch.now,
        limit=watch.before,
        level="significant",
        samples=watch.samples,
        window_start_ms=course.now_ms,
        window_end_ms=course.now_ms,
        since_ms=course.now_ms,
        # They follow a minute later, unless the holdout slice says that the learner is at fault.
        action=f"planned: {planned}" if planned else "",
    )


def drifted(course: Course, watch: Watch, action: str) -> Alert:
    """Somebody should know that the errors drifted."""
    return _alert(
        course,
        DRIFTED,
        "warning",
        f"errors of {course.definition.name} drifted from {watch.before:.4f} to {watch.now:.4f} ({watch.name}); "
        f"reaction: {action}",
        value=watch.now,
        limit=watch.before,
    )


def quarantine(course: Course, change: Change) -> Alert:
    """Labels that contradict are held back, or are not any more."""
    return _alert(
        course,
        CONTRADICTED,
        "critical",
        f"{change.examples} labels that contradict {course.definition.name} {_CHANGED[change.event or '']}: "
        f"{change.share:.2%} of the newest labels, usually {change.usual:.2%}",
        state="firing" if change.event == "raised" else "resolved",
        value=change.share,
        limit=change.usual,
    )


def got_worse(course: Course, verdict: Verdict) -> Alert:
    """A model got worse on the holdout slice, and the one before is back."""
    by = "squared error" if course.definition.kind == "bandit" else "log loss"
    why = (
        f"{by} {verdict.candidate:.4f} on the {verdict.examples} newest held-out examples, "
        f"where that has {verdict.last_good:.4f}"
    )
    return fell_back(course, why, verdict.candidate, verdict.last_good)


def fell_back(course: Course, why: str, value: float = 0.0, limit: float = 0.0) -> Alert:
    """The last good model is back in force."""
    summary = f"{course.definition.name} went back to its last good snapshot: {why}"
    return _alert(course, FELL_BACK, "critical", summary[:1000], value=value, limit=limit)


def _alert(
    course: Course,
    name: str,
    severity: AlertSeverity,
    summary: str,
    *,
    value: float,
    limit: float,
    state: Literal["firing", "resolved"] = "firing",
) -> Alert:
    return Alert(
        event_id=_id(course, f"{name}-{state}"),
        event_time_ms=course.now_ms,
        name=name,
        severity=severity,
        state=state,
        summary=summary,
        value=value,
        limit=limit,
        since_ms=max(0, course.now_ms - MINUTE_MS),
        labels={"learner": course.definition.name},
    )


def _id(course: Course, what: str) -> str:
    return f"{course.definition.name[:24]}-{what}-{course.counts['examples']}"[:64]

"""What the stream tells, as alerts: a drift report or an anomaly that a definition of the catalogue covers. Pure.

An alert begins with the first report beyond its limit and ends with the first one within it, or when two that were due
did not come: a model that nobody asks any more is not told of. Which definition covers what is the catalogue's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial

import msgspec

from infra.alerts import amounts
from infra.alerts.routing_state import LIFE_MS, Active, RouterState
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import Anomalies, Definition, Reports
from schemas.watching import Aggregate, Alert, Anomaly, Cause, DriftReport
from serving.causes import ranked

# So many times the time from one report to the next an alert lives without one: two of them may be missing.
LIVES = 2.5
MAX_DRIFTING = 500
# So many alerts at once say no more than fewer do.
MAX_DERIVED = 10_000
MAX_MODELS = 100

BY_REPORT = tuple((d, d.signal) for d in DEFINITIONS.values() if isinstance(d.signal, Reports))
BY_ANOMALY = tuple((d, d.signal) for d in DEFINITIONS.values() if isinstance(d.signal, Anomalies))


def of_report(report: DriftReport, state: RouterState, console: str, now_ms: int) -> list[Alert]:
    """The alerts that begin or end with a drift report, which is kept as a likely cause of others."""
    _remember(report, state)
    # A window and the running day are told one after the other: one must not end what the other began.
    labels = {"model": report.model, "name": report.name, "measure": report.measure, "span": report.span}
    if report.segment:
        labels["segment"] = report.segment
    told: list[Alert] = []
    for definition, signal in BY_REPORT:
        if signal.covers(report):
            since_ms = report.event_time_ms if report.since_ms is None else report.since_ms
            made = _made(definition, labels, report.value, since_ms, report.event_time_ms, f"{console}#/drift")
            fires = signal.fires(report, already=identity(made) in state.derived)
            life_ms = max(LIFE_MS, round(LIVES * report.every_ms))
            told += _turn(made, state, now_ms, fires=fires, life_ms=life_ms)
    return told


def of_anomaly(anomaly: Anomaly, state: RouterState, console: str, now_ms: int) -> list[Alert]:
    """The alerts that begin with an anomaly; they end by `expired`."""
    labels = {"name": anomaly.name} | {
        name: value for name, value in (("entity", anomaly.entity), ("segment", anomaly.segment)) if value
    }
    since_ms = anomaly.event_time_ms if anomaly.since_ms is None else anomaly.since_ms
    told: list[Alert] = []
    for definition, signal in BY_ANOMALY:
        made = _made(definition, labels, anomaly.value, since_ms, anomaly.event_time_ms, f"{console}#/alerts")
        limit = anomaly.high if anomaly.value > anomaly.high else anomaly.low
        told += _turn(msgspec.structs.replace(made, limit=limit), state, now_ms, fires=True, life_ms=signal.quiet_ms)
    return told


def of_aggregate(aggregate: Aggregate, state: RouterState) -> None:
    """Remember how much money flows, by segment."""
    amounts.keep(state.amounts, aggregate)


def expired(state: RouterState, now_ms: int) -> list[Alert]:
    """The ends of alerts that were made here and of which nothing was heard for too long."""
    old = [a.alert for a in state.derived.values() if now_ms - a.heard_ms >= a.life_ms]
    return [over for alert in old for over in _turn(alert, state, now_ms, fires=False)]


def forgotten(state: RouterState, now_ms: int, after_ms: int) -> list[Alert]:
    """The ends of alerts that others told and did not end: none of these was told again for so long."""
    old = [key for key, a in state.active.items() if now_ms - a.heard_ms >= after_ms and key not in state.derived]
    return [_over(state.active.pop(key).alert, now_ms) for key in old]


def explained(alert: Alert, state: RouterState) -> Alert:
    """The alert with its likely causes: what drifts now in its model, or in all where it names none."""
    definition = DEFINITIONS.get(alert.name)
    if alert.causes or definition is None or not definition.explained:
        return alert
    return msgspec.structs.replace(alert, causes=causes(alert.labels.get("model"), state))


def causes(model: str | None, state: RouterState) -> list[Cause]:
    """What drifts now in a model, ranked; in all of them where none is named."""
    drifting = [state.reports.get(model, {})] if model else list(state.reports.values())
    return ranked((report for found in drifting for report in found.values()), partial(_flowed, state))


def identity(alert: Alert) -> str:
    """Which alert it is: its name and labels."""
    return msgspec.json.encode([alert.name, sorted(alert.labels.items())]).decode()


def _flowed(state: RouterState, report: DriftReport) -> float:
    """The money of a report's segment and window, in major units."""
    return amounts.flowed(state.amounts, report.segment, report.window_start_ms, report.window_end_ms)


def _turn(alert: Alert, state: RouterState, now_ms: int, *, fires: bool, life_ms: int = LIFE_MS) -> Iterator[Alert]:
    """The alert if it begins or ends now; one that goes on is only heard of."""
    key = identity(alert)
    before = state.derived.get(key)
    if fires and before is None and len(state.derived) < MAX_DERIVED:
        made = explained(alert, state)
        state.derived[key] = Active(made, now_ms, life_ms)
        yield made
    elif fires and before is not None:
        before.heard_ms, before.life_ms = now_ms, life_ms
    elif before is not None:
        del state.derived[key]
        yield _over(before.alert, alert.event_time_ms)


def _over(alert: Alert, at_ms: int) -> Alert:
    # An id has at most 64 letters.
    known = f"{alert.event_id[:59]}-over"
    at_ms = max(at_ms, alert.event_time_ms)
    return msgspec.structs.replace(alert, event_id=known, state="resolved", event_time_ms=at_ms)


def _made(definition: Definition, labels: dict[str, str], value: float, since_ms: int, at_ms: int, link: str) -> Alert:
    known = msgspec.json.encode([definition.name, sorted(labels.items()), since_ms])
    return Alert(
        event_id=f"alert-{hashlib.sha256(known).hexdigest()[:32]}",
        event_time_ms=at_ms,
        name=definition.name,
        severity=definition.severity,
        state="firing",
        summary=definition.told(labels, value)[:1000],
        value=value,
        limit=definition.limit,
        since_ms=since_ms,
        labels=labels,
        runbook=definition.page,
        link=link,
    )


def _remember(report: DriftReport, state: RouterState) -> None:
    """Keep a feature that drifts as a likely cause, until it does no more; within bounds."""
    if report.subject != "feature":
        return
    drifting = state.reports.setdefault(report.model, {})
    place = f"{report.name}/{report.segment}/{report.measure}/{report.span}"
    drifting.pop(place, None)
    if report.level != "none":
        drifting[place] = report
    while len(drifting) > MAX_DRIFTING:
        del drifting[next(iter(drifting))]
    if not drifting:
        del state.reports[report.model]
    while len(state.reports) > MAX_MODELS:
        del state.reports[next(iter(state.reports))]

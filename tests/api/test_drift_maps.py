"""Maps of drift: the running day, estimates and what labels say each have their place, and what is healthy is quiet."""

from __future__ import annotations

import msgspec
import pytest
from api_builders import NOW_MS, Client, app

from schemas import codec, topics
from schemas.units import DAY_MS, HOUR_MS
from schemas.watching import DriftReport
from serving.console import drift
from serving.console.console import Console
from serving.console.performance import of_model
from serving.drift.nearness import nearness

TODAY_MS = NOW_MS - NOW_MS % DAY_MS
LABEL_DAYS = 31


def report(measure, value, limit, end_ms, *, every_ms, level="none", name=None, subject="feature", model="fraud@3"):
    return DriftReport(
        event_id=f"{measure}-{name}-{end_ms}", event_time_ms=end_ms, model=model, subject=subject,
        name=name or measure, measure=measure, value=value, limit=limit, level=level, samples=1000,
        window_start_ms=end_ms - DAY_MS, window_end_ms=end_ms, every_ms=every_ms,
    )  # fmt: skip


def figure(measure, value, end_ms, **fields):
    name = measure.removesuffix("_estimated")
    return report(measure, value, 0.855, end_ms, every_ms=DAY_MS, subject="performance", name=name, **fields)


def told(days):
    """What a job says in so many days: the running day each hour, then an estimate, and what labels say of long ago."""
    for day in range(days):
        end_ms = TODAY_MS - (days - 1 - day) * DAY_MS
        for hour in range(24):
            yield report("psi", 0.01, 0.2, end_ms - (23 - hour) * HOUR_MS, every_ms=HOUR_MS, name="amount")
        yield figure("roc_auc_estimated", 0.95, end_ms)
        yield figure("roc_auc", 0.91, end_ms - LABEL_DAYS * DAY_MS)


def test_what_labels_say_of_a_month_ago_stays_beside_the_running_day_and_the_estimates():
    seen = drift.Drift()
    for one in told(40):
        seen.take(one)
    running, days = seen.view()
    assert (running.span_ms, running.every_ms, running.subjects) == (DAY_MS, HOUR_MS, 1)
    assert (days.span_ms, days.every_ms, days.subjects) == (DAY_MS, DAY_MS, 1)
    (row,) = seen.answer("fraud@3", "", DAY_MS, DAY_MS).rows
    assert [cell.measure for cell in row.cells[-32:]] == ["roc_auc", *["roc_auc_estimated"] * 31]
    assert {row.name for row in seen.answer("fraud@3", "", DAY_MS, HOUR_MS).rows} == {"amount"}
    ended = TODAY_MS - LABEL_DAYS * DAY_MS
    found = seen.reports("fraud@3", "", DAY_MS, DAY_MS, "performance", "roc_auc", ended).reports
    assert [one.measure for one in found] == ["roc_auc", "roc_auc_estimated"]


def test_days_are_kept_as_long_as_labels_may_take_and_no_longer():
    seen = drift.Drift()
    for one in told(drift.SHOWN_DAYS + 10):
        seen.take(one)
    assert len(seen.answer("fraud@3", "", DAY_MS, DAY_MS).windows_ms) == drift.SHOWN_DAYS > 92 + 31
    assert len(seen.answer("fraud@3", "", DAY_MS, HOUR_MS).windows_ms) == drift.SHOWN_WINDOWS


def test_a_fall_that_labels_told_of_a_month_ago_stands_first_until_they_say_that_it_is_over():
    seen = drift.Drift()
    for one in told(3):
        seen.take(one)
    ended = TODAY_MS - LABEL_DAYS * DAY_MS
    seen.take(report("f1_estimated", 0.7, 0.0, TODAY_MS, every_ms=DAY_MS, subject="performance", name="f1"))
    seen.take(figure("roc_auc", 0.7, ended, level="significant"))
    assert seen.view()[1].levels == {"moderate": 0, "significant": 1}
    assert [row.name for row in seen.answer("fraud@3", "", DAY_MS, DAY_MS).rows] == ["roc_auc", "f1"]
    seen.take(figure("roc_auc", 0.9, ended + DAY_MS))
    assert seen.view()[1].levels == {"moderate": 0, "significant": 0}


def test_the_api_tells_windows_of_one_length_apart_by_their_pace():
    console = Console(lambda: NOW_MS)
    for one in told(2):
        console.take(topics.DRIFT_REPORTS.name, codec.encode(one), live=True)
    client = Client(app(console=console))
    asked = {"model": "fraud@3", "span_ms": DAY_MS}
    rows = {every: client.get("/drift", params=asked | given).json()["rows"] for every, given in
            (("", {}), ("hour", {"every_ms": HOUR_MS}), ("day", {"every_ms": DAY_MS}))}  # fmt: skip
    assert [row["name"] for row in rows["hour"]] == ["amount"]
    assert [row["name"] for row in rows["day"]] == ["roc_auc"]
    assert rows[""] == rows["day"]
    found = {"subject": "performance", "name": "roc_auc", "window_end_ms": TODAY_MS, "every_ms": DAY_MS}
    assert len(client.get("/drift/reports", params=asked | found).json()["reports"]) == 1
    assert client.get("/drift/reports", params=asked | found | {"every_ms": HOUR_MS}).json()["reports"] == []


def test_a_model_is_told_day_by_day_over_its_versions_by_estimates_and_by_labels():
    seen = drift.Drift()
    for one in told(40):
        seen.take(one)
    # A newer version answered a few payments of the last day, and a segment is not everybody.
    for made in (
        msgspec.structs.replace(figure("roc_auc_estimated", 0.5, TODAY_MS, model="fraud@4"), samples=10),
        msgspec.structs.replace(figure("roc_auc_estimated", 0.4, TODAY_MS), segment="travel"),
        figure("f1_estimated", 0.3, TODAY_MS),
        figure("roc_auc_estimated", 0.2, TODAY_MS, model="frauds@3"),
    ):
        seen.take(made)
    answered = of_model("fraud", "roc_auc", seen.performance("fraud"))
    assert answered.figures == ["roc_auc", "f1"]
    assert [day.window_end_ms for day in answered.days] == sorted(day.window_end_ms for day in answered.days)
    assert len(answered.days) == 40 + LABEL_DAYS
    first, last = answered.days[0], answered.days[-1]
    assert (first.realised, first.estimated, first.version) == (0.91, None, "3")
    assert (last.realised, last.estimated, last.version, last.limit) == (None, 0.95, "3", 0.855)
    both = [day for day in answered.days if day.realised and day.estimated]
    assert len(both) == 40 - LABEL_DAYS
    assert of_model("fraud", "", seen.performance("fraud")).figure == "roc_auc"
    assert of_model("fraud", "f1", seen.performance("fraud")).days[0].estimated == 0.3


def test_the_api_tells_nothing_of_the_days_of_a_model_that_nobody_reported_of():
    client = Client(app(console=Console(lambda: NOW_MS)))
    found = client.get("/drift/performance", params={"model": "items"}).json()
    assert (found["figure"], found["figures"], found["days"]) == ("", [], [])


def test_reports_that_do_not_say_their_pace_follow_each_other():
    """Train-serve skew is of an hour, each hour: it belongs on the map of hours."""
    seen = drift.Drift()
    seen.take(report("psi", 0.1, 0.2, TODAY_MS, every_ms=DAY_MS))
    seen.take(report("mismatch_share", 0.1, 0.2, TODAY_MS, every_ms=0, subject="skew"))
    assert len(seen.answer("fraud@3", "", DAY_MS, 0).rows) == 2


@pytest.mark.parametrize(
    ("measure", "value", "limit", "near"),
    [
        ("psi", 0.1, 0.2, 0.5),
        ("psi", 0.1, 0.0, 0.0),
        ("roc_auc", 1.0, 0.9, 0.0),
        ("roc_auc", 0.95, 0.9, 0.5),
        ("roc_auc_estimated", 0.8, 0.9, 2.0),
        ("average_precision", 0.5, 1.0, 1.0),
        ("catch_rate", 0.9, 0.75, 0.4),
        ("false_positive_rate", 0.003, 0.015, 0.2),
        ("error_share", 0.1, 0.1, 0.0),
        ("error_share", 0.0, 0.1, 0.0),
        ("error_share", 0.125, 0.1, 1.0),
        ("positive_share", 0.01, 0.01, 0.0),
        ("positive_share", 0.015, 0.01, 1.0),
        ("positive_share", 0.005, 0.01, 2.0),
        ("positive_share", 0.0, 0.01, 1.0),
    ],
)
def test_what_is_healthy_is_far_from_its_limit_and_what_is_at_its_limit_is_at_one(measure, value, limit, near):
    assert nearness(report(measure, value, limit, TODAY_MS, every_ms=DAY_MS)) == pytest.approx(near)

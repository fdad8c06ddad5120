"""What the console keeps of topics: right, and bounded."""

from __future__ import annotations

import math

import msgspec
import pytest
from api_builders import NOW_MS, Client, app, refusal
from console_scene import dead_letters, drift_reports, everything, fill
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec, topics
from schemas.alerts.catalogue import DEFINITIONS
from schemas.events import Label, Snapshot
from schemas.units import HOUR_MS
from schemas.watching import Alert
from serving.api.answers import ReplayAnswer
from serving.console import alerts, drift, jobs, learners, letters, payments, traffic
from serving.console.alerts import Alerts, AlertShown
from serving.console.console import SECTIONS, Console
from serving.console.jobs import Jobs
from serving.console.traffic import KINDS, SHOWN_S, Traffic
from tests.decisions import decision

READ = st.tuples(st.sampled_from(KINDS), st.integers(0, SHOWN_S * 1000 + 4000), st.integers(0, 5000))


@given(st.lists(READ, max_size=60))
def test_counts_and_percentiles_are_those_of_a_list_of_everything(reads):
    start_ms = 1_700_000_000_000
    seen = Traffic()
    ordered = sorted(reads, key=lambda read: read[1])
    for kind, at_ms, latency_ms in ordered:
        seen.take(kind, start_ms + at_ms - latency_ms, start_ms + at_ms)
    now_ms = start_ms + SHOWN_S * 1000 + 4000
    view = seen.view(now_ms)
    first = now_ms // 1000 - SHOWN_S
    wanted = [[0] * SHOWN_S for _ in KINDS]
    recent = []
    for kind, at_ms, latency_ms in ordered:
        second = (start_ms + at_ms) // 1000
        if first <= second < first + SHOWN_S:
            wanted[KINDS.index(kind)][second - first] += 1
            if second >= now_ms // 1000 - traffic.QUANTILES_S:
                recent.append(latency_ms)
    assert view.counts == wanted
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        if recent:
            exact = sorted(recent)[math.ceil(share * len(recent)) - 1]
            assert max(exact, 1) <= view.latency_ms[name] * 1.001
            assert view.latency_ms[name] <= max(exact, 1) * 1.12
        else:
            assert name not in view.latency_ms


def test_no_part_grows_beyond_its_bound():
    console = Console(lambda: NOW_MS)
    for number in range(payments.MAX_WAITING + 30):
        raw = codec.encode(decision(f"d{number}", decision="REVIEW"))
        console.take(topics.DECISIONS.name, raw, live=True)
    assert len(console._reviews.view().waiting) == payments.MAX_WAITING
    assert len(console._newest.view()) == payments.SHOWN
    report = next(iter(drift_reports(NOW_MS)))
    for number in range(drift.MAX_REPORTS + 30):
        console._drift.take(msgspec.structs.replace(report, name=f"f{number}"))
    kept = [len(window) for windows in console._drift._maps.values() for window in windows.values()]
    assert sum(kept) == drift.MAX_REPORTS
    for number in range(drift.MAX_MAPS + 5):
        console._drift.take(msgspec.structs.replace(report, model=f"m{number}"))
    assert len(console._drift._maps) == drift.MAX_MAPS
    for number in range(learners.MAX_LEARNERS + 5):
        for step in range(3):
            console._learners.take(learners.Snapshot(f"l{number}", "t", "k", step, NOW_MS))
    assert len(console._learners.view()) == learners.MAX_LEARNERS
    for number in range(learners.MAX_POINTS + 5):
        console._learners.take(learners.Snapshot("last", "t", "k", number, NOW_MS))
    assert {len(one.points) for one in console._learners.view()} <= {3, learners.MAX_POINTS}
    letter = next(iter(dead_letters(NOW_MS)))
    for number in range(letters.MAX_LETTERS + 5):
        console._letters.take(msgspec.structs.replace(letter, event_id=f"x{number}"))
    assert sum(console._letters.view().waiting.values()) == letters.MAX_LETTERS
    for number in range(alerts.MAX_FIRING + 5):
        console._alerts.take(alert(labels={"n": str(number)}))
    assert len(console._alerts.view().firing) == alerts.MAX_FIRING
    for _ in range(jobs.SHOWN_POINTS + 5):
        console.take_jobs({"lag_records": {f"j{n}": 1.0 for n in range(jobs.MAX_JOBS + 5)}}, [])
    shown = console._jobs.view().jobs
    assert len(shown) == jobs.MAX_JOBS
    assert len(shown[0].lags) == jobs.SHOWN_POINTS


def label(event_id, *, fraud=True):
    return payments.read_label(
        codec.encode(
            Label(
                event_id="l",
                event_time_ms=NOW_MS,
                user_id="u1",
                transaction_id=event_id,
                transaction_time_ms=NOW_MS,
                is_fraud=fraud,
                source="review",
            )
        )
    )


def payment(event_id, kind="REVIEW"):
    return payments.read_payment(codec.encode(decision(event_id, decision=kind)))


def test_a_payment_waits_until_its_label_is_read_in_whatever_order_the_topics_are():
    queue = payments.Reviews()
    for one in ("a", "b"):
        queue.take(payment(one))
    queue.take(payment("c", "APPROVE"))
    queue.take_label(label("a"))
    queue.take_label(label("d"))
    queue.take(payment("d"))
    view = queue.view()
    assert [one.event_id for one in view.waiting] == ["b"]
    assert [(one.transaction_id, one.is_fraud) for one in view.verdicts] == [("d", True), ("a", True)]
    queue.take_label(label("a", fraud=False))
    assert [(one.transaction_id, one.is_fraud) for one in queue.view().verdicts] == [("a", False), ("d", True)]


def test_a_verdict_of_hours_ago_that_is_read_last_does_not_push_out_the_newest():
    queue = payments.Reviews()
    for number in range(payments.SHOWN_VERDICTS + 1):
        queue.take(payment(f"p{number}"))
    queue.take_label(label("p0"))
    older = [label(f"p{number}") for number in range(1, payments.SHOWN_VERDICTS + 1)]
    for number, one in enumerate(older):
        queue.take_label(msgspec.structs.replace(one, event_time_ms=one.event_time_ms - HOUR_MS + number))
    shown = [one.transaction_id for one in queue.view().verdicts]
    assert shown == ["p0", *(f"p{number}" for number in range(payments.SHOWN_VERDICTS, 1, -1))]


def test_a_map_of_drift_shows_the_loudest_measure_and_what_drifts_most_first():
    seen = drift.Drift()
    for report in drift_reports(NOW_MS):
        seen.take(report)
    (shown,) = seen.view()
    assert (shown.model, shown.span_ms, shown.subjects) == ("fraud@3", HOUR_MS, 14)
    answer = seen.answer("fraud@3", "", HOUR_MS, HOUR_MS)
    assert len(answer.windows_ms) == drift.SHOWN_WINDOWS
    assert answer.rows[0].name == "merchant_risk"
    assert answer.rows[0].cells[-1].level == "significant"
    levels = [drift.LEVELS.index(row.cells[-1].level) for row in answer.rows]
    assert levels == sorted(levels, reverse=True)
    found = seen.reports("fraud@3", "", HOUR_MS, HOUR_MS, "feature", "merchant_risk", shown.window_end_ms).reports
    assert [one.measure for one in found] == ["psi", "ks"]
    assert answer.rows[0].cells[-1].measure == "psi"
    assert seen.answer("other", "", HOUR_MS, HOUR_MS).rows == []


def alert(state="firing", labels=None, at_ms=NOW_MS):
    return Alert(
        event_id="a",
        event_time_ms=at_ms,
        name="lag",
        severity="warning",
        state=state,
        summary="far behind",
        since_ms=NOW_MS - 1000,
        labels=labels or {},
        runbook="infra/runbooks/lag.md#first-look",
    )


def from_prometheus(name="lag", **labels):
    return AlertShown(name, "critical", "s", NOW_MS, labels, "prometheus")


def test_the_alert_that_always_fires_is_not_shown_and_the_most_severe_comes_first():
    seen = Alerts()
    one = from_prometheus(job="a", severity="x")
    named = {"Watchdog": "info", "A": "warning", "B": "high", "C": "critical"}
    active = [msgspec.structs.replace(one, name=name, severity=severity) for name, severity in named.items()]
    seen.take_active(active, NOW_MS)
    assert [shown.name for shown in seen.view().firing] == ["C", "B", "A"]


def test_an_alert_of_the_stream_that_alertmanager_knows_too_is_shown_once_and_ends_by_the_streams_word():
    seen = Alerts()
    seen.take(alert(labels={"job": "a"}))
    seen.take_active([from_prometheus(job="a", severity="x"), from_prometheus(job="b")], NOW_MS)
    assert [(one.origin, one.labels["job"], one.runbook) for one in seen.view().firing] == [
        ("prometheus", "b", ""),
        ("stream", "a", "lag"),
    ]
    seen.take_active([], NOW_MS + 5)
    assert [one.labels["job"] for one in seen.view().firing] == ["a"]
    seen.take(alert("resolved", {"job": "a"}, NOW_MS + 9))
    assert seen.view().firing == []
    assert [(one.labels["job"], one.resolved_ms) for one in seen.view().resolved] == [
        ("a", NOW_MS + 9),
        ("b", NOW_MS + 5),
    ]


def test_an_alert_of_the_stream_says_what_to_do_first_and_where_to_read_on():
    seen = Alerts()
    seen.take(msgspec.structs.replace(alert(), name="LearnerDrifted", runbook=""))
    definition = DEFINITIONS["LearnerDrifted"]
    (shown,) = seen.view().firing
    assert (shown.action, shown.runbook) == (definition.action, definition.runbook)


def test_a_model_with_many_reports_pushes_out_no_other_and_old_windows_go_first(monkeypatch):
    monkeypatch.setattr(drift, "MAX_REPORTS", 2_400)
    seen = drift.Drift()
    reports = list(drift_reports(NOW_MS))
    for report in reports:
        seen.take(report)
    before = seen.answer("fraud@3", "", HOUR_MS, HOUR_MS)
    for window in range(3 * drift.SHOWN_WINDOWS):
        for name in range(drift.MAX_REPORTS // drift.SHOWN_WINDOWS):
            end_ms = NOW_MS + window * HOUR_MS
            seen.take(
                msgspec.structs.replace(
                    reports[0], model="busy", name=f"f{name}", window_start_ms=end_ms - HOUR_MS, window_end_ms=end_ms
                )
            )
    assert seen.answer("fraud@3", "", HOUR_MS, HOUR_MS) == before
    ends = seen.answer("busy", "", HOUR_MS, HOUR_MS).windows_ms
    assert len(ends) <= drift.SHOWN_WINDOWS
    assert ends[-1] == NOW_MS + (3 * drift.SHOWN_WINDOWS - 1) * HOUR_MS


def test_a_decision_of_a_kind_that_nobody_knows_is_passed_by():
    console = Console(lambda: NOW_MS)
    raw = codec.encode(decision("d", decision="REVIEW"))
    console.take(topics.DECISIONS.name, raw.replace(b"REVIEW", b"FOO"), live=True)
    assert console._newest.view() == []
    console.take(topics.DECISIONS.name, raw, live=True)
    assert len(console._newest.view()) == 1


def test_a_learner_that_starts_anew_starts_a_new_curve():
    seen = learners.Learners()
    for examples in (10, 20, 5, 8):
        seen.take(learners.Snapshot("l", "t", "k", examples, NOW_MS, {"auc": 0.5}))
    assert [point.examples for point in seen.view()[0].points] == [5, 8]


def test_a_letter_that_was_played_back_waits_no_more():
    seen = letters.Letters()
    for letter in dead_letters(NOW_MS):
        seen.take(letter)
    view = seen.view()
    assert view.waiting == {"invalid": 1, "wrong_key": 1, "unreadable": 1}
    assert [one.replayed_ms > 0 for one in view.letters] == [False, False, False, True]


def test_jobs_that_are_gone_take_their_history_along():
    seen = Jobs()
    seen.take({"lag_records": {"a": 1.0, "b": 2.0}}, [])
    seen.take({"lag_records": {"a": 3.0}}, [])
    assert [(one.name, one.lags) for one in seen.view().jobs] == [("a", [1.0, 3.0])]


def test_a_section_is_told_again_only_when_it_has_changed():
    console = Console(lambda: NOW_MS)
    fill(console, NOW_MS)
    states = {name: console.section(name, None)[0] for name in SECTIONS}
    assert [name for name in SECTIONS if console.section(name, states[name])] == []
    console.take(topics.ALERTS.name, codec.encode(alert("resolved")), live=True)
    console.take(topics.ALERTS.name, codec.encode(alert()), live=True)
    assert [name for name in SECTIONS if console.section(name, states[name])] == ["alerts"]


@pytest.mark.parametrize("raw", [None, b"", b"[]", b"\xff", b'{"event_id": 3}'])
def test_a_record_that_can_not_be_read_changes_nothing(raw):
    console = Console(lambda: NOW_MS)
    before = [console.section(name, None) for name in SECTIONS]
    for topic in {topic for topic, _ in everything(NOW_MS)}:
        console.take(topic, raw, live=True)
    assert [console.section(name, None) for name in SECTIONS] == before


def test_a_snapshot_is_read_without_its_model():
    whole = Snapshot(
        event_id="s",
        event_time_ms=NOW_MS,
        learner="l",
        task="t",
        kind="k",
        examples=4,
        feature_set="f",
        payload=msgspec.Raw(b'{"weights": [1, 2]}'),
        sha256="0",
        metrics={"auc": 0.7},
    )
    assert learners.read_snapshot(codec.encode(whole)) == learners.Snapshot("l", "t", "k", 4, NOW_MS, {"auc": 0.7})


def test_the_page_allows_nothing_from_elsewhere_and_serves_its_own_files_alone():
    client = Client(app())
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/console/main.js").headers["content-type"] == "text/javascript; charset=utf-8"
    for path in ("/console/page.py", "/console/..%2Fpage.py", "/console/nothing.js"):
        assert "no file" in refusal(client.get(path), 404) or "Not Found" in client.get(path).text


def test_what_a_person_sends_is_refused_by_name():
    known = {"x": ReplayAnswer(None, False, "a wrong key stays wrong: give --rekey")}
    client = Client(app(replay=lambda one, _: known[one]))
    assert "transaction_id" in refusal(client.request("POST", "/labels", json={"user_id": "u"}), 422)
    late = {"user_id": "u", "transaction_id": "t", "transaction_time_ms": NOW_MS + 10**7, "is_fraud": True}
    assert "ahead of its arrival" in refusal(client.request("POST", "/labels", json=late), 422)
    assert "application/json" in refusal(client.request("POST", "/dead-letters/x/replay", content=b"{}"), 415)
    assert "rekeyed" in refusal(client.request("POST", "/dead-letters/x/replay", json={"rekeyed": 1}), 422)
    answer = client.request("POST", "/dead-letters/x/replay", json={})
    assert answer.json() == {"topic": None, "replayed_before": False, "left": "a wrong key stays wrong: give --rekey"}
    assert "no log is connected" in refusal(Client(app()).request("POST", "/dead-letters/x/replay", json={}), 503)
    assert "no runbook 'none'" in refusal(client.get("/runbooks/none"), 404)
    assert "span_ms" in refusal(client.get("/drift?model=m"), 422)

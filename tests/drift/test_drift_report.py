"""`sluice drift report`: the worst first, and one file that loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from click.testing import CliRunner
from drift_builders import START_MS, WATCHED, Run, hours, make_reference

from infra.cli import drift
from infra.drift_report.histories import histories
from infra.drift_report.page import page
from schemas.errors import InputError, MissingPartError
from schemas.settings import Kafka, Settings
from schemas.units import DAY_MS, HOUR_MS, SECOND_MS
from schemas.watching import DriftReport

# Of eight hours the last is still open, and a window is told ten minutes after its end.
NEWEST_MS = START_MS + 7 * HOUR_MS
NOW_MS = NEWEST_MS + HOUR_MS // 6


@pytest.fixture(scope="module")
def reports():
    return Run(given=make_reference()).feed(hours(8, 300, {5: 2.0})).reports


class Balanced(HTMLParser):
    """Whether every element is closed, and what it would load."""

    def __init__(self):
        super().__init__()
        self.open, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_what_drifted_stands_first_with_all_that_was_said_of_it(reports):
    found = histories(reports, DAY_MS, NOW_MS)
    assert found[0].newest.level == "significant"
    assert found[0].newest.name == WATCHED[0]
    levels = [history.newest.level for history in found]
    assert levels == sorted(levels, key=["significant", "moderate", "none"].index)
    hourly = next(h for h in found if h.newest.measure == "psi" and h.hours == 1 and h.newest.name == WATCHED[0])
    assert [report.level for report in hourly.reports] == ["none"] * 5 + ["significant"] * 2


def test_since_counts_from_now_and_a_report_written_twice_is_one(reports):
    found = histories([*reports, *reports], 2 * HOUR_MS, NOW_MS)
    kept = [report for history in found for report in history.reports]
    assert len(kept) == len({report.event_id for report in kept})
    assert {report.event_time_ms for report in kept} == {NEWEST_MS, NEWEST_MS - HOUR_MS}
    later = histories(reports, 2 * HOUR_MS, NOW_MS + HOUR_MS)
    assert {report.event_time_ms for history in later for report in history.reports} == {NEWEST_MS}
    assert histories(reports, DAY_MS, NOW_MS, "other@1") == []


def figure(reports, day, *, value=0.9, level="none", segment="", model="fraud@1"):
    """What labels say of a day that ended so many days after the newest report."""
    end_ms = max(report.event_time_ms for report in reports) + day * DAY_MS
    return msgspec.structs.replace(
        reports[0], event_id=f"f{day}{segment}{model}", event_time_ms=end_ms, model=model, segment=segment, level=level,
        subject="performance", name="roc_auc", measure="roc_auc", value=value, limit=0.85, every_ms=DAY_MS,
        window_start_ms=end_ms - DAY_MS, window_end_ms=end_ms,
    )  # fmt: skip


def test_what_labels_say_of_a_month_ago_is_as_new_as_the_newest_of_its_kind(reports):
    days = [figure(reports, day) for day in (-33, -32, -31)]
    gold = figure(reports, -31, segment="gold", value=0.7, level="significant")
    retired = figure(reports, -40, model="fraud@0")
    told = [h for h in histories([*reports, *days, gold, retired], DAY_MS, NOW_MS) if h.newest.measure == "roc_auc"]
    assert [(h.newest.segment, h.newest.model) for h in told] == [("gold", "fraud@1"), ("", "fraud@1")]
    assert [report.event_id for report in told[1].reports] == [days[-1].event_id]
    (told,) = [h for h in histories([*reports, *days], 2 * DAY_MS, NOW_MS) if h.newest.measure == "roc_auc"]
    assert [report.event_id for report in told.reports] == [days[1].event_id, days[2].event_id]
    assert len(histories([*reports, *days], HOUR_MS, NOW_MS)) == len(histories(reports, HOUR_MS, NOW_MS)) + 1


def test_healthy_performance_is_no_worse_than_a_feature_that_nears_its_limit(reports):
    near = msgspec.structs.replace(reports[0], event_id="near", name="near", measure="psi", value=0.19, limit=0.2)
    order = [h.newest.name for h in histories([figure(reports, 0, value=0.95), near], DAY_MS, NOW_MS)]
    assert order == ["near", "roc_auc"]


def test_the_page_is_whole_and_loads_nothing(reports):
    # A name may hold anything: it comes from a topic.
    strange = msgspec.structs.replace(reports[0], name="<script>alert(1)</script>", measure="psi", event_id="x")
    made = page(histories([*reports, strange], DAY_MS, NOW_MS))
    parser = Balanced()
    parser.feed(made.removeprefix("<!doctype html>"))
    assert (parser.open, parser.loads) == ([], [])
    assert not re.search(r"https?:|url\(|@import|<script|NaN|nan\b|inf\b", made)
    assert made.count("<svg") >= 2 * len(WATCHED)


def test_where_since_leaves_nothing_it_counts_from_the_newest_report(reports):
    """A log that was played back, or a job that died a week ago."""
    week_later = histories(reports, 2 * HOUR_MS, NOW_MS + 7 * DAY_MS)
    assert week_later == histories(reports, 2 * HOUR_MS, NEWEST_MS)
    assert {report.event_time_ms for h in week_later for report in h.reports} == {NEWEST_MS, NEWEST_MS - HOUR_MS}


def command(monkeypatch, reports, now_ms, *given):
    """`sluice drift report` over these reports at that time."""
    monkeypatch.setattr(drift, "_reports", lambda _: iter(reports))
    monkeypatch.setattr("infra.wall_clock.now_ms", lambda: now_ms)
    # Rich breaks lines at the width of the terminal.
    done = CliRunner().invoke(drift.report, list(given), obj=Settings(), env={"COLUMNS": "200"}, catch_exceptions=False)
    assert done.exit_code == 0
    return done


def test_the_terminal_shows_what_drifted_with_since_when_and_by_how_much(monkeypatch, reports):
    done = command(monkeypatch, reports, NOW_MS)
    head, worst, *_ = done.stdout.splitlines()
    assert head.split() == ["level", "model", "what", "measure", "value", "limit", "rows", "hours", "since"]
    assert worst.split()[:4] == ["significant", "fraud@1", "feature", WATCHED[0]]
    assert "none" not in {line.split()[0] for line in done.stdout.splitlines()}
    assert "none" in {line.split()[0] for line in command(monkeypatch, reports, NOW_MS, "--all").stdout.splitlines()}
    calm = [report for report in reports if report.level == "none"]
    assert command(monkeypatch, calm, NOW_MS).stdout.startswith("nothing drifted: ")
    assert "sluice submit watch_drift" in command(monkeypatch, [], NOW_MS).stdout


def test_json_is_a_report_a_line_with_its_age(monkeypatch, reports):
    done = command(monkeypatch, reports, NOW_MS, "--json")
    lines = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert {line["age_s"] for line in lines} == {600.0}
    found = [history.newest for history in histories(reports, DAY_MS, NOW_MS)]
    assert [msgspec.convert(line, DriftReport) for line in lines] == found
    assert done.stderr == ""


def test_html_is_the_page_in_a_file(monkeypatch, reports, tmp_path):
    file = tmp_path / "report.html"
    done = command(monkeypatch, reports, NOW_MS, "--html", str(file))
    assert file.read_text() == page(histories(reports, DAY_MS, NOW_MS))
    assert str(file) in done.stderr
    missing = tmp_path / "nowhere" / "report.html"
    with pytest.raises(InputError, match="give a file in a folder"):
        command(monkeypatch, reports, NOW_MS, "--html", str(missing))


OLD = "the newest report is {} old (2025-10-09 16:00 UTC){}; does the job run? `sluice status`"


@pytest.mark.parametrize(
    ("late_ms", "said"),
    [
        (5 * HOUR_MS // 2, ""),
        (5 * HOUR_MS // 2 + SECOND_MS, OLD.format("2h30m", "")),
        (7 * DAY_MS, OLD.format("7d0h", ", so this is the 1d0h before it and not the last")),
    ],
)
def test_old_reports_are_shown_with_their_age(monkeypatch, reports, tmp_path, late_ms, said):
    """A job that died must not look like one that found this just now."""
    file = tmp_path / "report.html"
    done = command(monkeypatch, reports, NEWEST_MS + late_ms, "--html", str(file))
    lines = done.stdout.splitlines()
    assert lines[0] == said if said else lines[0].startswith("level")
    assert any(line.startswith("significant") for line in lines)
    assert ("<p class='warning'>" in file.read_text()) == bool(said)
    assert said[1:] in file.read_text()
    machines = command(monkeypatch, reports, NEWEST_MS + late_ms, "--json")
    assert machines.stderr.strip() == said
    assert {msgspec.json.decode(line)["age_s"] for line in machines.stdout.splitlines()} == {late_ms / SECOND_MS}


def test_a_page_of_nothing_says_so():
    assert "Nothing." in page([])


def test_without_a_broker_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr("infra.topic_reader.TIMEOUT_S", 0.5)
    done = CliRunner().invoke(drift.report, [], obj=Settings(kafka=Kafka(bootstrap="127.0.0.1:1")))
    assert isinstance(done.exception, MissingPartError)
    assert "sluice up" in str(done.exception)

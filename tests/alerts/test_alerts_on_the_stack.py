"""On the running stack: an alert of the topic reaches a person over Alertmanager, and what rules read is exported."""

import time
from uuid import uuid4

import msgspec
import numpy as np
import pytest
from alert_builders import Receiver
from alert_stack import running_router, until
from click.testing import CliRunner
from exported_series import exported, scraped
from test_alert_rules import FLINKS

from infra import control_topic, publish
from infra.alerts import probes
from infra.alerts.process import Process
from infra.alerts.responses import TRIAL
from infra.bench.percentiles import percentiles
from infra.cli.alerts import command
from schemas import control
from schemas.events import ControlRecord, Transaction
from schemas.settings import Channel, Person
from schemas.watching import Alert, DriftReport
from serving.stores import cassandra_deliveries

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def receiver():
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def told(stack, receiver, tmp_path_factory):
    """The running stack with a router whose one person is this test."""
    person = Person(
        f"tester-{uuid4().hex[:8]}", [Channel("webhook", f"{receiver.url}/hook")], quiet_from_hour=0, quiet_until_hour=0
    )
    home = str(tmp_path_factory.mktemp("router"))
    config = msgspec.structs.replace(stack.alerts, people=[person], person_per_hour=1000, state=home)
    settings = msgspec.structs.replace(stack, alerts=config)
    store = cassandra_deliveries.connect(settings.cassandra)
    process = Process(settings, store, print, print, probes.probes(settings))
    with running_router(process, settings.stack.ports.alerts):
        yield settings
    store.close()


def send(settings, *events):
    publish.publish(publish.records(events), publish.connect(settings.kafka), publish.Pace())


def notices(receiver, **labels):
    found = [n for message in receiver.at("/hook") for n in message["notices"]]
    return [n for n in found if labels.items() <= n.get("labels", {}).items()]


def flag(name, *, on):
    now_ms = time.time_ns() // 1_000_000
    payload = msgspec.Raw(msgspec.json.encode(control.Flag(on)))
    return ControlRecord(event_id=f"f-{now_ms}", event_time_ms=now_ms, kind="flag", name=name, payload=payload)


def test_an_alert_of_the_topic_reaches_a_person_and_so_does_its_end(told, receiver):
    run, now_ms = uuid4().hex, time.time_ns() // 1_000_000
    for state in ("firing", "resolved"):
        alert = Alert(
            event_id=f"{state}-{run}", event_time_ms=now_ms, name="LearnerFellBack", severity="critical", state=state,
            summary="a trial", since_ms=now_ms, labels={"run": run},
        )  # fmt: skip
        send(told, alert)
        found = until(lambda s=state: [n for n in notices(receiver, run=run) if n["state"] == s], f"{state} is told")
        assert found[0]["runbook"] == "infra/runbooks/learner.md"
    (person,) = told.alerts.people
    log = cassandra_deliveries.connect(told.cassandra)

    def logged():
        rows = log.deliveries_of(person.name, now_ms, now_ms + 600_000, 100)
        return [row for row in rows if row.alerts == ["LearnerFellBack"]]

    # What is told is logged a moment later, and others may be told meanwhile.
    assert until(logged, "the delivery is logged")
    log.close()


def test_twenty_critical_alerts_reach_their_receiver_within_a_minute_at_the_99th_percentile(told, receiver):
    """Every other one opens a group of Alertmanager, for it groups by model; the rest join one and wait for it."""
    run, count = uuid4().hex, 20
    sent_s: dict[str, float] = {}
    took_ms: dict[str, float] = {}

    def publish_one(number, state):
        now_ms = time.time_ns() // 1_000_000
        model = run if number % 2 else f"{run}-{number}"
        alert = Alert(
            event_id=f"{state}-{number}-{run}", event_time_ms=now_ms, name="LearnerFellBack", severity="critical",
            state=state, summary="a trial", since_ms=now_ms,
            labels={"run": run, "model": model, TRIAL: str(number)},
        )  # fmt: skip
        send(told, alert)

    def all_are_told():
        for found in notices(receiver, run=run):
            number = found["labels"][TRIAL]
            took_ms.setdefault(number, 1000 * (time.monotonic() - sent_s[number]))
        return len(took_ms) == count

    try:
        for number in range(count):
            sent_s[str(number)] = time.monotonic()
            publish_one(number, "firing")
            all_are_told()
        until(all_are_told, f"{count} critical alerts are told")
    finally:
        for number in range(count):
            publish_one(number, "resolved")
    assert percentiles(np.array(list(took_ms.values()))).p99 < 60_000


def test_a_drift_report_becomes_an_alert_and_a_request_to_train(told, receiver):
    run, now_ms = uuid4().hex, time.time_ns() // 1_000_000
    control_topic.send(told.kafka, [flag("respond-retrain", on=True)])
    report = DriftReport(
        event_id=run, event_time_ms=now_ms, model=run, subject="feature", name="amount", measure="psi", value=0.4,
        limit=0.2, level="significant", samples=1000, window_start_ms=now_ms - 1, window_end_ms=now_ms,
    )  # fmt: skip
    try:
        # Give the switch its time to be read.
        time.sleep(1)
        send(told, report)
        found = until(lambda: [n for n in notices(receiver, model=run) if n["name"] == "FeatureDriftSevere"], "told")
        assert [cause["name"] for cause in found[0]["causes"]] == ["amount"]

        def asked():
            records = control_topic.current(told.kafka).values()
            audits = [control.payload(record) for record in records if record.kind == "audit"]
            return [audit for audit in audits if audit.detail.get("about") == run]

        (audit,) = until(asked, "the request is on control")
        assert audit.action == "respond_retrain"
        assert audit.detail["alert"] == "FeatureDriftSevere"
    finally:
        control_topic.send(told.kafka, [flag("respond-retrain", on=False)])
        over = msgspec.structs.replace(report, event_id=f"{run}-2", level="none", value=0.0)
        send(told, over)


def test_commands_show_what_fires_and_what_was_delivered(told):
    shown = CliRunner().invoke(command, ["list"], obj=told, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "Watchdog" in shown.output
    sent = CliRunner().invoke(command, ["test", "ApiSlow"], obj=told, catch_exceptions=False)
    assert sent.output.startswith("ApiSlow is published as firing")
    CliRunner().invoke(command, ["test", "ApiSlow", "--over"], obj=told, catch_exceptions=False)
    listed = CliRunner().invoke(command, ["deliveries", "--since", "1h"], obj=told, catch_exceptions=False)
    assert "delivered" in listed.output


def test_flink_exports_every_metric_of_its_own_that_a_rule_reads(stack):
    # A source tells how many records wait once it has read one.
    now_ms = time.time_ns() // 1_000_000
    paid = Transaction(event_id=f"p-{now_ms}", event_time_ms=now_ms, user_id="alert-tester", amount=1, merchant_id="m")
    send(stack, paid)
    until(lambda: exported(scraped(stack)).keys() >= FLINKS, f"Flink exports all of {sorted(FLINKS)}")

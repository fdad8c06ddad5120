"""Faults on real Prometheus, Alertmanager and router: each sets off its rule, reaches the receiver, and is over.

Windows and offsets of the rules are a sixtieth of the true ones, 4 to 12 s, and alerts are held back for 2 s; promtool
tests the true durations. What Flink and the API would export comes from a process whose values the test changes; Redis
and the probe of it are real. Drift reports and a learner's alert are handed to the router as its Kafka edge does.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from alert_builders import NOON_MS, Receiver, report, to_publish
from alert_stack import (
    Exporter,
    part,
    program,
    running_alertmanager,
    running_prometheus,
    running_router,
    until,
)
from shortening import Shortening

from infra.alerts import policy, probes
from infra.alerts.alertmanager_client import send
from infra.alerts.process import Process
from infra.alerts.rules import rules_yaml
from schemas.settings import Alerts, Channel, Kafka, Person, Ports, Redis, Settings, Stack
from schemas.units import HOUR_MS
from schemas.watching import Alert
from serving.stores.memory_deliveries import MemoryDeliveries
from tests.ports import free_port

SHORT = Shortening(factor=60, shortest_s=4, longest_s=12, hold_s=2)
OPERATOR = "flink_taskmanager_job_task_operator_sluice"
ON = 'job_name="score"'
EVENTS, LABELS = f"{OPERATOR}_events{{{ON}}}", f"{OPERATOR}_labels{{{ON}}}"
NULLS, VALUES = f"{OPERATOR}_feature_nulls{{{ON}}}", f"{OPERATOR}_feature_values{{{ON}}}"
UNREADABLE = f'{OPERATOR}_reason_rejects{{{ON}, reason="unreadable"}}'
NEWER = f'{OPERATOR}_reason_rejects{{{ON}, reason="unknown_version"}}'
FAST = f'{OPERATOR}_le_arrival_latency_ms_bucket{{{ON}, le="25"}}'
SLOW = f'{OPERATOR}_le_arrival_latency_ms_bucket{{{ON}, le="500"}}'
ALL = f'{OPERATOR}_le_arrival_latency_ms_bucket{{{ON}, le="+Inf"}}'
PENDING = f"flink_taskmanager_job_task_operator_pendingRecords{{{ON}}}"
RUNNING = f"flink_jobmanager_job_runningState{{{ON}}}"
FAILED = f"flink_jobmanager_job_numberOfFailedCheckpoints{{{ON}}}"
COMPLETED = f"flink_jobmanager_job_numberOfCompletedCheckpoints{{{ON}}}"
ANSWERED = 'sluice_api_requests_total{route="/score", status="200"}'
BROKEN = 'sluice_api_requests_total{route="/score", status="503"}'
BROKER = 'sluice_alerts_part_answer_seconds{part="kafka"}'

FAULTS = {
    "StoreDown",
    "BrokerSlow",
    "ConsumerLag",
    "FeatureNullsHigh",
    "SchemaRefused",
    "RangeViolated",
    "FeatureDriftSevere",
    "ScoreShift",
    "LabelsStopped",
    "ApiErrors",
    "DecisionLatencyHigh",
    "CheckpointsFailing",
    "ThroughputHalved",
    "LabelsContradict",
    "DeadLetterBurst",
}


def normal(exporter: Exporter) -> None:
    """An hour like any other; also what mends a fault."""
    rates = {EVENTS: 200, LABELS: 5, NULLS: 10, VALUES: 1000, FAST: 200, SLOW: 200, ALL: 200, FAILED: 0, COMPLETED: 1}
    rates |= {ANSWERED: 50, BROKEN: 0, UNREADABLE: 0, NEWER: 0}
    for series, a_second in rates.items():
        exporter.counter(series, a_second)
    for series, value in {PENDING: 100, RUNNING: 1, BROKER: 0.01}.items():
        exporter.gauge(series, value)


def break_all(exporter: Exporter) -> None:
    """What the exporter shows of the faults."""
    exporter.counter(EVENTS, 20)
    exporter.counter(LABELS, 0)
    exporter.counter(NULLS, 900)
    exporter.counter(FAST, 0)
    exporter.counter(FAILED, 3)
    exporter.counter(BROKEN, 20)
    exporter.counter(UNREADABLE, 0, at_once=500)
    exporter.counter(NEWER, 0, at_once=5)
    exporter.gauge(PENDING, 90_000)
    exporter.gauge(BROKER, 3.0)


def reports(level: str) -> list[object]:
    values = {"significant": 0.4, "none": 0.01}
    value = values[level]
    return [
        report("amount", value, level),
        report("amount", value, level, measure="outside_share"),
        report("score", value, level, subject="score"),
    ]


def poisoned(state: str) -> Alert:
    return Alert(
        event_id=f"p-{state}", event_time_ms=NOON_MS, name="LabelsContradict", severity="critical", state=state,  # type: ignore[arg-type]  # a word of the literal
        summary="labels contradict", since_ms=NOON_MS, labels={"learner": "logistic"},
    )  # fmt: skip


def tell(process: Process, settings: Settings, events: list[object]) -> None:
    """As the router's Kafka edge: what it makes of reports comes back to it as alerts, which Alertmanager hears.

    There is no broker to take the outbox, so what came back stays in it and is passed by the next time.
    """
    now_ms = time.time_ns() // 1_000_000
    before = {alert.event_id for alert in to_publish(process.router)}
    told = process.router.read(events, {}, now_ms)  # type: ignore[arg-type]  # events of those kinds
    made = [alert for alert in to_publish(process.router) if alert.event_id not in before]
    send(settings.alerts.alertmanager, [*told, *process.router.read(made, {}, now_ms)], now_ms)


def settings_of(folder: Path, ports: Ports, redis_port: int, people: list[Person], per_hour: int) -> Settings:
    return Settings(
        stack=Stack(home=str(folder), ports=ports),
        kafka=Kafka(bootstrap=f"127.0.0.1:{free_port()}"),
        redis=Redis(url=f"redis://127.0.0.1:{redis_port}/0"),
        alerts=Alerts(
            people=people, person_per_hour=per_hour, channel_per_hour=10 * per_hour, all_per_hour=100 * per_hour
        ),
    )


def awake(name: str, url: str) -> Person:
    channels = [Channel("webhook", f"{url}/hook"), Channel("slack", f"{url}/slack")]
    return Person(name, channels, quiet_from_hour=0, quiet_until_hour=0)


@pytest.fixture
def quick(monkeypatch):
    """What may wait for company waits a second, parts are probed every second, silence is noticed after 15 s."""
    monkeypatch.setitem(policy.PATIENCE_MS, "warning", 1_000)
    monkeypatch.setattr("infra.alerts.probes.EVERY_S", 1.0)
    monkeypatch.setattr("infra.alerts.router.SILENCE_MS", 15_000)


def names(receiver: Receiver, state: str) -> set[str]:
    return {n["name"] for message in receiver.at("/hook") for n in message["notices"] if n["state"] == state}


@pytest.mark.usefixtures("quick")
def test_every_fault_is_told_and_so_is_its_end(tmp_path, receiver):
    ports = Ports(alertmanager=free_port(), prometheus=free_port(), alerts=free_port())
    redis_port, exporter, store = free_port(), Exporter(), MemoryDeliveries()
    settings = settings_of(tmp_path, ports, redis_port, [awake("ada", receiver.url)], per_hour=1_000)
    redis_command = [program("redis-server"), "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)]
    normal(exporter)
    process = Process(settings, store, print, print, {"redis": probes.probes(settings)["redis"]})
    with ExitStack() as running:
        running.callback(exporter.close)
        redis = running.enter_context(part(redis_command, redis_port, tmp_path / "redis.log"))
        running.enter_context(running_alertmanager(tmp_path, ports, quick=True))
        running.enter_context(running_router(process, ports.alerts))
        scraped = {"flink": exporter.port, "alerts": ports.alerts}
        prometheus = running.enter_context(running_prometheus(tmp_path, ports, SHORT.rules(rules_yaml()), scraped))
        # Longer than the longest window and offset together, so that every rule has its past.
        until(lambda: process.router._state.watchdog_ms, "the watchdog is heard of")
        time.sleep(26)
        assert receiver.got == []

        redis.stop()
        break_all(exporter)
        tell(process, settings, [*reports("significant"), poisoned("firing")])
        until(
            lambda: names(receiver, "firing") >= FAULTS,
            lambda: f"{FAULTS} are told, {names(receiver, 'firing')} were",
        )
        assert {n["name"] for m in receiver.at("/hook") if m["urgent"] for n in m["notices"]} >= {"StoreDown"}
        # A critical message takes two channels.
        assert receiver.at("/slack")

        redis.start()
        normal(exporter)
        tell(process, settings, [*reports("none"), poisoned("resolved")])
        until(lambda: names(receiver, "resolved") >= FAULTS, lambda: f"all are over, {names(receiver, 'resolved')} are")

        # The dead man's switch: Prometheus can not tell that it is gone.
        prometheus.stop()
        until(lambda: "AlertingSilent" in names(receiver, "firing"), "silence is told")
    told = next(n for m in receiver.at("/hook") for n in m["notices"] if n["name"] == "FeatureDriftSevere")
    assert [cause["name"] for cause in told["causes"]] == ["amount"]
    assert told["runbook"] == "infra/runbooks/feature-drift.md"
    now_ms = time.time_ns() // 1_000_000
    rows = store.deliveries_of("ada", now_ms - HOUR_MS, now_ms + 1, 1000)
    assert {row.status for row in rows} == {"sent", "delivered"}


BURSTS, STEP_MS = 10, 30_000
STORM_BEAT_S, BEATS = 0.002, 20


class Clock:
    """The router's time, which the test moves on: it beats some twenty times for each step."""

    def __init__(self) -> None:
        self.now_ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.now_ms

    def move(self, by_ms: int) -> None:
        for _ in range(by_ms // STEP_MS):
            self.now_ms += STEP_MS
            time.sleep(BEATS * STORM_BEAT_S)


def messages_of_a_storm(tmp_path, receiver, monkeypatch, count: int, per_hour: int) -> int:
    """How many messages leave in an hour of so many critical alerts, in ten bursts; all of them are told or wait."""
    monkeypatch.setattr("infra.alerts.process.BEAT_S", STORM_BEAT_S)
    # No Prometheus is there to be heard of.
    monkeypatch.setattr("infra.alerts.router.SILENCE_MS", 2 * HOUR_MS)
    ports = Ports(alertmanager=free_port(), alerts=free_port())
    settings = settings_of(tmp_path, ports, free_port(), [awake("ada", receiver.url)], per_hour)
    clock = Clock()
    process = Process(settings, MemoryDeliveries(), print, print, {}, clock)
    sent_ms = clock.now_ms
    storm = [
        Alert(
            event_id=f"s-{number}", event_time_ms=sent_ms, name=f"Storm{number % 20}", severity="critical",
            state="firing", summary="a storm", since_ms=sent_ms, labels={"n": str(number)},
        )
        for number in range(count)
    ]  # fmt: skip

    def told_or_waiting() -> int:
        told = {(n["name"], n["labels"]["n"]) for m in receiver.at("/hook") for n in m["notices"]}
        return len(told) + process.router.waiting().get("ada", 0)

    with running_alertmanager(tmp_path, ports, quick=True), running_router(process, ports.alerts):
        for start in range(0, count, count // BURSTS):
            known = start + count // BURSTS
            # Alertmanager keeps the true time.
            send(settings.alerts.alertmanager, storm[start:known], time.time_ns() // 1_000_000)
            until(lambda known=known: told_or_waiting() >= known, f"{known} alerts are told or wait")
            clock.move(HOUR_MS // BURSTS)
        # Of both channels together.
        return len(receiver.got)


def test_a_storm_of_ten_thousand_alerts_in_an_hour_reaches_a_person_as_ten_messages_at_most(
    tmp_path, receiver, monkeypatch
):
    assert 1 <= messages_of_a_storm(tmp_path, receiver, monkeypatch, count=10_000, per_hour=10) <= 10


def test_a_tenth_of_that_storm_would_be_more_messages_without_the_limit(tmp_path, receiver, monkeypatch):
    assert messages_of_a_storm(tmp_path, receiver, monkeypatch, count=1_000, per_hour=10_000) > 10

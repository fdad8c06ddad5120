"""Faults that are made on the running stack: each sets off its rule, reaches the receiver, and is over.

Before them nobody is told anything: a minute of steady payments, under rules that are held back for half of it at most.

Payments flow through the scoring job, whose metrics Prometheus reads from Flink; windows of rules are as short as in
`test_faults.py`. The store that goes down is one of this test's own, and so is the API that needs it, for others need
those of the stack; the broker is paused for seconds, which nothing that reads or writes minds. Last come more payments
at once than the job decides in seconds: its end is the job's own, and others wait that long. What drifts is in
`tests/jobs/test_watch_drift_job.py`, poisoned labels are in `tests/learn/test_learn_on_kafka.py`.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator

import msgspec
import pytest
from alert_builders import Receiver
from alert_payments import PER_S, Payments, cut, of_another_version, unchanged
from alert_stack import (
    asked,
    configure_prometheus,
    part,
    program,
    running_alertmanager,
    running_prometheus,
    running_router,
    until,
)
from asked_api import asked_api
from refused_checkpoints import refuse_checkpoints
from shortening import Shortening
from standing_still import paused
from test_alert_rules import RULED
from test_faults import SHORT, awake

from infra.alerts import policy, probes
from infra.alerts.process import Process
from infra.alerts.rules import rules_yaml
from infra.alerts.stream import Stream
from jobs.names import MATERIALIZE, SCORE
from schemas.alerts.expression import rate
from schemas.metrics import EVENTS
from schemas.settings import Alerts, Ports, Redis, Settings
from serving.stores.memory_deliveries import MemoryDeliveries
from tests.ports import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

# Windows that hold a checkpoint and scrapes that are as far apart as they ship; no fault lasts half of it by chance.
QUIET, QUIET_EVERY_S, QUIET_S = Shortening(factor=60, shortest_s=15, longest_s=20, hold_s=30), 5, 60
# How fast a machine is that runs the suite, and a cache that only ever meets new users: these are held as they ship.
HELD = frozenset(
    {
        "ApiSlow",
        "BrokerSlow",
        "CacheMissesHigh",
        "CheckpointsMissing",
        "DecisionLatencyHigh",
        "FeatureReadSlow",
        "JobBusy",
        "PipelineSlow",
    }
)
OURS = {SCORE, MATERIALIZE}
RULES = {definition.name for definition in RULED}
FEW_PER_S = 2
# What the rules that are asked look back on: the longest window, as long ago as the longest offset or longer.
PAST_OF_ALL = rate(EVENTS, "1h", f'job_name="{SCORE}"', offset="1h") + " > 0"
PAST = SHORT.expr(PAST_OF_ALL)
ANSWERING = 'rate(sluice_api_requests_total{route=~"/features/.*", status="200"}[4s]) > 0'
SOON = {
    "StoreDown", "ApiErrors", "FeatureNullsHigh", "SchemaRefused", "DeadLetterBurst", "CheckpointsFailing",
}  # fmt: skip
TOLD = SOON | {"ThroughputHalved", "LabelsStopped", "BrokerSlow"}
# More than a hundred are a burst; many more would be traffic, whose end is a fall by half.
BURST = 200
# Some ten to twenty seconds of work, of which the job has to be behind by a second's; with payments that wait, it
# answers late. A busy machine alone is late by tenths of a second. A consumer knows of what waits in a partition since
# it last fetched from it, a megabyte at a time: in one partition most of the backlog is seen, in four next to nothing.
BACKLOG, BEHIND = 40_000, {"ConsumerLag": 1, "DecisionLatencyHigh": 2_000}
# A question to the broker waits for two seconds; one that was asked before comes on top.
PAUSED_S = 7


@pytest.fixture
def payments(stack: Settings) -> Iterator[Payments]:
    flowing = Payments(stack.kafka.bootstrap)
    yield flowing
    flowing.close()


def test_faults_of_the_running_stack_are_told_and_so_is_their_end(stack, payments, receiver, tmp_path, monkeypatch):
    monkeypatch.setitem(policy.PATIENCE_MS, "warning", 1_000)
    monkeypatch.setattr("infra.alerts.probes.EVERY_S", 1.0)
    # The broker is everybody's: what rules with short windows find must change no threshold, nor be told to others.
    monkeypatch.setattr(Stream, "publish", lambda *_: None)
    ports = Ports(alertmanager=free_port(), prometheus=free_port(), alerts=free_port(), api=free_port())
    redis_port = free_port()
    settings = msgspec.structs.replace(
        stack,
        stack=msgspec.structs.replace(stack.stack, ports=ports),
        redis=Redis(url=f"redis://127.0.0.1:{redis_port}/0"),
        alerts=Alerts(
            # An alert that came and went before its fault is made is news when it comes for it.
            dedup_hours=0, people=[awake("ada", receiver.url)],
            person_per_hour=10_000, channel_per_hour=100_000, all_per_hour=1_000_000, state=str(tmp_path / "state"),
            alertmanager=f"http://127.0.0.1:{ports.alertmanager}",
        ),
    )  # fmt: skip
    probed = {name: ask for name, ask in probes.probes(settings).items() if name in {"redis", "kafka"}}
    process = Process(settings, MemoryDeliveries(), print, print, probed)
    first = stack.stack.ports.flink_metrics_first
    scraped = {f"flink-{number}": first + number for number in range(stack.stack.task_managers + 1)}
    scraped |= {"alerts": ports.alerts, "api": ports.api}
    rules = SHORT.rules(rules_yaml())
    redis_command = [program("redis-server"), "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)]
    with (
        part(redis_command, redis_port, tmp_path / "redis.log") as redis,
        # It has no part in alerts, and no settings of a file would give that time for repeats.
        asked_api(msgspec.structs.replace(settings, alerts=Alerts())),
        running_alertmanager(tmp_path, ports, quick=True),
        running_router(process, ports.alerts),
        running_prometheus(tmp_path, ports, QUIET.rules(rules_yaml(), HELD), scraped, QUIET_EVERY_S) as prometheus,
    ):
        quiet(receiver, ports)
        configure_prometheus(tmp_path, ports, rules, scraped)
        prometheus.reload()

        until(lambda: asked(ports.prometheus, PAST), "Prometheus has a past")
        until(lambda: asked(ports.prometheus, ANSWERING), "the API answers")
        until(lambda: calm(receiver, ports.prometheus, TOLD), "the first scrapes are over")
        broken = len(receiver.got)
        redis.stop()
        payments.nameless_from_s, payments.labelled = time.monotonic(), False
        payments.send(5, of_another_version)
        payments.send(BURST, cut)
        refuse_checkpoints(stack, MATERIALIZE)
        expect(receiver, broken, "firing", SOON)

        payments.nameless_from_s = None
        redis.start()
        fell = len(receiver.got)
        payments.per_s = FEW_PER_S
        expect(receiver, fell, "firing", {"ThroughputHalved"})
        expect(receiver, broken, "firing", {"LabelsStopped"})
        payments.per_s, payments.labelled = PER_S, True
        expect(receiver, fell, "resolved", {"ThroughputHalved"})
        expect(receiver, broken, "resolved", SOON | {"LabelsStopped"})

        stood = len(receiver.got)
        with paused(stack, "kafka"):
            time.sleep(PAUSED_S)
        expect(receiver, stood, "firing", {"BrokerSlow"})
        expect(receiver, stood, "resolved", {"BrokerSlow"})

        configure_prometheus(tmp_path, ports, SHORT.rules(rules_yaml(), limits=BEHIND), scraped)
        prometheus.reload()
        until(lambda: calm(receiver, ports.prometheus, set(BEHIND)), "payments are decided as they come")
        behind = len(receiver.got)
        payments.send(BACKLOG, unchanged, partition=0)
        expect(receiver, behind, "firing", set(BEHIND))
        expect(receiver, behind, "resolved", set(BEHIND))


def quiet(receiver: Receiver, ports: Ports) -> None:
    """A minute of what goes on anyway: nothing fires in Alertmanager, and nobody is told anything.

    The rules have a past before it begins. What others run on the stack is theirs.
    """
    until(lambda: asked(ports.prometheus, QUIET.expr(PAST_OF_ALL)), "Prometheus has a past")
    until(lambda: not fires(ports) and over(receiver), lambda: f"the first scrapes are over, but not {fires(ports)}")
    before, deadline, fired = len(receiver.got), time.monotonic() + QUIET_S, set[str]()
    while time.monotonic() < deadline:
        fired |= fires(ports)
        time.sleep(1)
    assert not fired
    assert not told(receiver, before, ours)
    paid = asked(ports.prometheus, f'sum(increase({EVENTS.exported}{{job_name="{SCORE}"}}[{QUIET_S}s]))')
    assert sum(paid) > PER_S * QUIET_S / 2


def fires(ports: Ports) -> set[str]:
    """What fires in Alertmanager and is about no job of others, without the one that always does."""
    with urllib.request.urlopen(f"http://127.0.0.1:{ports.alertmanager}/api/v2/alerts", timeout=10) as answer:
        found = [alert["labels"] for alert in json.load(answer)]
    return {str(labels) for labels in found if ours(labels["alertname"], labels) and labels["alertname"] != "Watchdog"}


def ours(name: str, labels: dict[str, str]) -> bool:
    """Whether it is a rule's, and of no job that others run: what they left in topics is told here, too."""
    return name in RULES and labels.get("job_name", SCORE) in OURS


def over(receiver: Receiver) -> bool:
    """Whether nothing that was told goes on."""
    return all(states[-1] == "resolved" for states in told(receiver, 0, ours).values())


def told(
    receiver: Receiver, since: int, of: Callable[[str, dict[str, str]], bool] = lambda *_: True
) -> dict[str, list[str]]:
    """The states of each alert, in the order in which they were told, from the `since`th message on."""
    found: dict[str, list[str]] = {}
    for place, message in receiver.got[since:]:
        for notice in message["notices"] if place == "/hook" else ():
            if of(notice["name"], notice.get("labels", {})):
                found.setdefault(notice["name"], []).append(notice["state"])
    return found


def calm(receiver: Receiver, prometheus: int, names: set[str]) -> bool:
    """Whether none of these fires, and none was told of without its end."""
    firing = f'ALERTS{{alertstate="firing", alertname=~"{"|".join(sorted(names))}"}}'
    last = {name: states[-1] for name, states in told(receiver, 0).items()}
    return not asked(prometheus, firing) and all(last.get(name) != "firing" for name in names)


def came(receiver: Receiver, since: int, state: str, wanted: set[str]) -> bool:
    """Whether these fired after the `since`th message, or fired and are over."""
    found = told(receiver, since)
    if state == "firing":
        return all(state in found.get(name, ()) for name in wanted)
    return all(found.get(name, [""])[-1] == state for name in wanted)


def expect(receiver: Receiver, since: int, state: str, wanted: set[str]) -> None:
    """Wait until these fired after the `since`th message, or are over."""
    until(lambda: came(receiver, since, state, wanted), lambda: f"{state}: {wanted}; were {told(receiver, since)}")

"""Faults that are made on the running stack: each sets off its rule, reaches the receiver, and is over.

Payments flow through the scoring job, whose metrics Prometheus reads from Flink; windows of rules are as short as in
`test_faults.py`. The store that goes down is one of this test's own, and so is the API that needs it, for others need
those of the stack; the broker is paused for seconds, which nothing that reads or writes minds. What drifts is in
`tests/jobs/test_watch_drift_job.py`, poisoned labels are in `tests/learn/test_learn_on_kafka.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
from alert_builders import Receiver
from alert_payments import PER_S, Payments, cut, of_another_version
from alert_stack import (
    asked,
    part,
    program,
    running_alertmanager,
    running_prometheus,
    running_router,
    until,
)
from asked_api import asked_api
from refused_checkpoints import refuse_checkpoints
from standing_still import paused
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

FEW_PER_S = 2
# What the rules that are asked look back on: the longest window, as long ago as the longest offset or longer.
PAST = SHORT.expr(rate(EVENTS, "1h", f'job_name="{SCORE}"', offset="1h")) + " > 0"
ANSWERING = 'rate(sluice_api_requests_total{route=~"/features/.*", status="200"}[4s]) > 0'
SOON = {
    "StoreDown", "ApiErrors", "FeatureNullsHigh", "SchemaRefused", "DeadLetterBurst", "CheckpointsFailing",
}  # fmt: skip
TOLD = SOON | {"ThroughputHalved", "LabelsStopped", "BrokerSlow"}
# More than a hundred are a burst; many more would be traffic, whose end is a fall by half.
BURST = 200
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
        running_prometheus(tmp_path, ports, rules, scraped),
    ):
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


def told(receiver: Receiver, since: int) -> dict[str, list[str]]:
    """The states of each alert, in the order in which they were told, from the `since`th message on."""
    found: dict[str, list[str]] = {}
    for place, message in receiver.got[since:]:
        for notice in message["notices"] if place == "/hook" else ():
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

"""Faults that are made on the running stack: each sets off its rule, reaches the receiver, and is over.

Payments flow through the scoring job, whose metrics Prometheus reads from Flink; windows of rules are as short as in
`test_faults.py`. The store that goes down is one of this test's own, for others need that of the stack; the broker is
paused for seconds, which nothing that reads or writes minds.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from alert_builders import Receiver
from alert_payments import PER_S, Payments, cut, of_another_version
from alert_stack import (
    part,
    program,
    running_alertmanager,
    running_prometheus,
    running_router,
    until,
)
from test_faults import SHORT, awake

from infra.alerts import policy, probes
from infra.alerts.process import Process
from infra.alerts.rules import rules_yaml
from infra.alerts.stream import Stream
from infra.stack import process as parts
from infra.stack.home import Home
from jobs.names import SCORE
from schemas.alerts.expression import rate
from schemas.metrics import EVENTS
from schemas.settings import Alerts, Ports, Redis, Settings
from serving.stores.memory_deliveries import MemoryDeliveries
from tests.ports import free_port

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

FEW_PER_S = 2
# What the rules that are asked look back on: the longest window, as long ago as the longest offset or longer.
PAST = SHORT.expr(rate(EVENTS, "1h", f'job_name="{SCORE}"', offset="1h")) + " > 0"
TOLD = {"StoreDown", "FeatureNullsHigh", "SchemaRefused", "DeadLetterBurst", "ThroughputHalved", "BrokerSlow"}
FIRING = f'ALERTS{{alertstate="firing", alertname=~"{"|".join(sorted(TOLD))}"}}'
# More than a hundred are a burst; many more would be traffic, whose end is a fall by half.
BURST = 200
# A question to the broker waits for two seconds; one that was asked before comes on top.
PAUSED_S = 7
# By then a part that was paused goes on, even if this process is gone.
LONGEST_PAUSE_S = 20


@contextmanager
def paused(settings: Settings, name: str) -> Iterator[None]:
    """A part of the stack that stands still, and goes on whatever happens, were it the end of this process."""
    running = parts.find(Home.of(settings), name)
    assert running is not None, f"{name} does not run"
    group = os.getpgid(running.pid)
    woken = ["sh", "-c", f"sleep {LONGEST_PAUSE_S}; kill -s CONT -- -{group}"]
    waker = subprocess.Popen(woken, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.killpg(group, signal.SIGSTOP)
        yield
    finally:
        os.killpg(group, signal.SIGCONT)
        os.killpg(waker.pid, signal.SIGKILL)
        waker.wait()


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
    ports = Ports(alertmanager=free_port(), prometheus=free_port(), alerts=free_port())
    redis_port = free_port()
    settings = msgspec.structs.replace(
        stack,
        stack=msgspec.structs.replace(stack.stack, ports=ports),
        redis=Redis(url=f"redis://127.0.0.1:{redis_port}/0"),
        alerts=Alerts(
            # An alert that came and went before its fault is made is news when it comes for it.
            dedup_hours=0, people=[awake("ada", receiver.url)],
            person_per_hour=1_000, channel_per_hour=10_000, all_per_hour=10_000, state=str(tmp_path / "state"),
            alertmanager=f"http://127.0.0.1:{ports.alertmanager}",
        ),
    )  # fmt: skip
    asked = {name: ask for name, ask in probes.probes(settings).items() if name in {"redis", "kafka"}}
    process = Process(settings, MemoryDeliveries(), print, print, asked)
    first = stack.stack.ports.flink_metrics_first
    scraped = {f"flink-{number}": first + number for number in range(stack.stack.task_managers + 1)}
    redis_command = [program("redis-server"), "--port", str(redis_port), "--save", "", "--dir", str(tmp_path)]
    with (
        part(redis_command, redis_port, tmp_path / "redis.log") as redis,
        running_alertmanager(tmp_path, ports, quick=True),
        running_router(process, ports.alerts),
        running_prometheus(tmp_path, ports, SHORT.rules(rules_yaml()), {**scraped, "alerts": ports.alerts}),
    ):
        until(lambda: answers(ports.prometheus, PAST), "Prometheus has a past")
        until(lambda: not answers(ports.prometheus, FIRING) and calm(receiver), "the first scrapes are over")
        broken = len(receiver.got)
        redis.stop()
        payments.nameless_from_s = time.monotonic()
        payments.send(5, of_another_version)
        payments.send(BURST, cut)
        expect(receiver, broken, "firing", {"StoreDown", "FeatureNullsHigh", "SchemaRefused", "DeadLetterBurst"})

        payments.nameless_from_s = None
        redis.start()
        fell = len(receiver.got)
        payments.per_s = FEW_PER_S
        expect(receiver, fell, "firing", {"ThroughputHalved"})
        payments.per_s = PER_S
        expect(receiver, fell, "resolved", {"ThroughputHalved"})
        expect(receiver, broken, "resolved", {"StoreDown", "SchemaRefused", "DeadLetterBurst", "FeatureNullsHigh"})

        stood = len(receiver.got)
        with paused(stack, "kafka"):
            time.sleep(PAUSED_S)
        expect(receiver, stood, "firing", {"BrokerSlow"})
        expect(receiver, stood, "resolved", {"BrokerSlow"})


def answers(port: int, query: str) -> bool:
    """Whether Prometheus finds anything; nothing while it is not ready."""
    address = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return bool(json.load(answer)["data"]["result"])
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False


def told(receiver: Receiver, since: int) -> dict[str, list[str]]:
    """The states of each alert, in the order in which they were told, from the `since`th message on."""
    found: dict[str, list[str]] = {}
    for place, message in receiver.got[since:]:
        for notice in message["notices"] if place == "/hook" else ():
            found.setdefault(notice["name"], []).append(notice["state"])
    return found


def calm(receiver: Receiver) -> bool:
    return not any(name in TOLD and states[-1] == "firing" for name, states in told(receiver, 0).items())


def expect(receiver: Receiver, since: int, state: str, wanted: set[str]) -> None:
    """These fire after the `since`th message, or fired and are over."""

    def came() -> bool:
        found = told(receiver, since)
        if state == "firing":
            return all(state in found.get(name, ()) for name in wanted)
        return all(found.get(name, [""])[-1] == state for name in wanted)

    until(came, f"{state}: {wanted}; were {told(receiver, since)}")

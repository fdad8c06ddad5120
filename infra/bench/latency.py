"""Latency at a rate: from the instant a payment was due to the instant another process has its answer."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.bench.child import Child
from infra.bench.load import Load, Sent, start_ms
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.reader import Read, Reading
from infra.bench.workload import Kind
from schemas.errors import PartFailedError
from schemas.settings import Kafka

READY_S = 60.0
# How long the reader waits for the next answer: longer than the load needs to start and a job to recover.
PATIENCE_S = 45.0
# The largest part of a run that a loaded machine may need on top of the load's own seconds.
LONGEST_S = 600.0


class Latency(msgspec.Struct, frozen=True):
    """What was measured at `rate`. `slip_ms` is how late the load itself was at worst: a part of the latencies."""

    rate: float
    answers: Percentiles
    lost: int
    repeated: int
    slip_ms: float


@dataclass(frozen=True)
class Timeline:
    """For each payment when it was due and when its answer was there, in ms since the epoch; NaN = never."""

    due_ms: NDArray[np.float64]
    answered_ms: NDArray[np.float64]
    sent: Sent
    read: Read


def measure(
    kafka: Kafka,
    source: str,
    sink: str,
    *,
    rate: float,
    seconds: float,
    users: int,
    kind: Kind = "payments",
    patience_s: float = PATIENCE_S,
) -> Latency:
    """Send at the rate for `seconds` and read the answers, until none has come for `patience_s`.

    Raises PartFailedError when the broker is not there or nothing is answered.
    """
    found = timeline(kafka, source, sink, rate=rate, seconds=seconds, users=users, kind=kind, patience_s=patience_s)
    latencies = (found.answered_ms - found.due_ms)[~np.isnan(found.answered_ms)]
    if not len(latencies):
        raise PartFailedError(f"no payment of {source} had an answer in {sink}; see `sluice status`")
    lost = len(found.due_ms) - len(latencies)
    return Latency(rate, percentiles(latencies), lost, found.read.repeated, found.sent.slip_ms)


def timeline(
    kafka: Kafka,
    source: str,
    sink: str,
    *,
    rate: float,
    seconds: float,
    users: int,
    kind: Kind = "payments",
    patience_s: float = PATIENCE_S,
    meanwhile: Callable[[float], None] = lambda _begin_ms: None,
) -> Timeline:
    """The same, payment by payment; `meanwhile` is called here with the start of the load, before it begins."""
    count, run = max(1, round(rate * seconds)), secrets.token_hex(4)
    load = Load(kafka.bootstrap, source, run, count, rate, users, kind)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "times.npy"
        reading = Reading(kafka.bootstrap, sink, run, count, patience_s, str(out))
        with Child("infra.bench.load", load, Sent) as sending, Child("infra.bench.reader", reading, Read) as answers:
            sending.wait_ready(READY_S)
            answers.wait_ready(READY_S)
            begin_ms = start_ms(count)
            sending.tell(str(begin_ms).encode())
            meanwhile(begin_ms)
            sent = sending.result(seconds + LONGEST_S)
            read = answers.result(patience_s + LONGEST_S)
        due_ms = np.array([load.due_ms(begin_ms, number) for number in range(count)])
        return Timeline(due_ms, np.load(out), sent, read)

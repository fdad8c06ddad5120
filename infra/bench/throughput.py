"""Throughput: a backlog is laid down at once, and the rate at which answers come while it lasts is what counts.

The ends of the answers' topic are sampled instead of reading it: a reader would want a fifth of a core for itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from infra.bench.child import Child
from infra.bench.latency import LONGEST_S, READY_S
from infra.bench.load import Load, Sent, start_ms
from infra.bench.offsets import Offsets
from infra.bench.workload import Kind
from schemas.errors import PartFailedError
from schemas.settings import Kafka

SAMPLE_S = 0.2
STALLED_S = 45.0
STILL_S = 10.0
# The first and the last part of the backlog do not count: neither does the time in which it is laid down.
CUT = 0.1


class Drain(msgspec.Struct, frozen=True):
    """Answers a second in the steady part, over `share` of the backlog; `seconds` for all of it."""

    count: int
    per_s: float
    share: float
    seconds: float
    lost: int
    repeated: int


class Sample(NamedTuple):
    """How many answers there were at an instant of a steady clock."""

    at_s: float
    answers: int


def drain(kafka: Kafka, source: str, sink: str, *, count: int, users: int, kind: Kind = "payments") -> Drain:
    """Send `count` payments at once and watch their answers come.

    Raises PartFailedError when answers stop coming before all are there.
    """
    run = secrets.token_hex(4)
    load = Load(kafka.bootstrap, source, run, count, None, users, kind)
    with Offsets(kafka) as offsets, Child("infra.bench.load", load, Sent) as sending:
        sending.wait_ready(READY_S)
        starts = offsets.ends(sink)
        sending.tell(str(start_ms(count)).encode())
        samples = [Sample(time.monotonic(), 0)]
        laid_s: float | None = None
        moved_s = time.monotonic()
        while samples[-1].answers < count:
            time.sleep(SAMPLE_S)
            now_s = time.monotonic()
            answers = sum(offsets.ends(sink)) - sum(starts)
            if answers > samples[-1].answers:
                moved_s = now_s
            elif now_s - moved_s > STALLED_S:
                raise PartFailedError(
                    f"{answers:,} of {count:,} answers in {sink}, and none for {STALLED_S:.0f} s; see `sluice doctor`"
                )
            samples.append(Sample(now_s, answers))
            if laid_s is None and sending.done:
                laid_s = now_s
        sent = sending.result(LONGEST_S)
        answered = offsets.count(sink, run, starts, offsets.ends(sink))
        if answered.distinct < sent.count:
            # Repeats counted as answers, too: what is missing may still be on its way.
            _wait_until_still(offsets, sink)
            answered = offsets.count(sink, run, starts, offsets.ends(sink))
    per_s, share = steady(samples, count, samples[0].at_s if laid_s is None else laid_s)
    first_s = next(sample.at_s for sample in samples if sample.answers)
    seconds = samples[-1].at_s - first_s
    return Drain(
        count, round(per_s, 1), round(share, 3), round(seconds, 2), sent.count - answered.distinct, answered.repeated
    )


def _wait_until_still(offsets: Offsets, topic: str) -> None:
    ends, moved_s = offsets.ends(topic), time.monotonic()
    while time.monotonic() - moved_s < STILL_S:
        time.sleep(SAMPLE_S)
        if (now := offsets.ends(topic)) != ends:
            ends, moved_s = now, time.monotonic()


def steady(samples: Sequence[Sample], count: int, laid_s: float) -> tuple[float, float]:
    """Answers a second between the first and the last CUT, from `laid_s` on if that leaves half of it; and its share.

    `laid_s` is when the backlog was complete: before, the load took its part of the machine.
    """
    part = [sample for sample in samples if CUT * count <= sample.answers <= (1 - CUT) * count]
    alone = [sample for sample in part if sample.at_s >= laid_s]
    if len(alone) >= 2 and alone[-1].answers - alone[0].answers >= 0.4 * count:
        part = alone
    if len(part) < 2:
        # Too quick for the samples: all there is, from the last sample without answers on.
        first = max(i for i, sample in enumerate(samples) if not sample.answers)
        part = [samples[first], samples[-1]]
    answers = part[-1].answers - part[0].answers
    return answers / (part[-1].at_s - part[0].at_s), answers / count

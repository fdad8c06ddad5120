"""The reader: notes when each answer is readable (`python -m infra.bench.reader`)."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from infra.bench import workload
from infra.bench.child import say_ready, work
from infra.topic_tail import Tail
from schemas.settings import Kafka

POLL_S = 0.1


class Reading(msgspec.Struct, frozen=True):
    """Wait for the answers to `count` payments of a run, until none has come for `patience_s`.

    The times go to the file `out`.
    """

    bootstrap: str
    topic: str
    run: str
    count: int
    patience_s: float
    out: str


class Read(msgspec.Struct, frozen=True):
    """How many payments were answered, and how many answers came again."""

    answered: int
    repeated: int


def read(reading: Reading) -> Read:
    """Say that it is ready, read. Raises OperatorError when the broker is not there.

    The file holds float64: for each payment the time in ms at which its answer was there, NaN when none came.
    """
    times: NDArray[np.float64] = np.full(reading.count, np.nan)
    answered = repeated = 0
    with Tail(Kafka(reading.bootstrap), reading.topic) as tail:
        say_ready()
        newest_ms = time.time() * 1000
        while answered < reading.count and time.time() * 1000 < newest_ms + reading.patience_s * 1000:
            message = tail.poll(POLL_S)
            if message is None:
                continue
            now_ms = time.time() * 1000
            number = workload.answered(reading.run, message.value())
            if number is None:
                continue
            newest_ms = now_ms
            if np.isnan(times[number]):
                times[number] = now_ms
                answered += 1
            else:
                repeated += 1
    with Path(reading.out).open("wb") as file:
        np.save(file, times)
    return Read(answered, repeated)


if __name__ == "__main__":
    work(Reading, read)

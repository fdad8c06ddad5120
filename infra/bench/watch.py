"""Watching a store for what a load wrote: how long after it was due each event can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

# One event in so many is watched, and asked for again after this pause.
WATCHED_EVERY = 20
PAUSE_S = 0.001
# The pause is so many times as long as the look before it took: watching a long queue, without rest, would take the
# processor from those that work it off.
REST = 4
PATIENCE_S = 10.0

# The event time of what is readable of each of these users, in ms, None where there is nothing.
ReadTimes = Callable[[Sequence[str]], Sequence[int | None]]


def watch(
    read_times: ReadTimes, user: Callable[[int], str], begin_ms: float, *, rate: float, count: int
) -> list[float]:
    """For each event that is watched and was seen, how many ms after it was due; patient PATIENCE_S after the last.

    Event `number` of `count` is of `user(number)` and due at `begin_ms` + number / rate.
    """
    wanted = [(user(number), begin_ms + number * 1000 / rate) for number in range(0, count, WATCHED_EVERY)]
    last_s = wanted[-1][1] / 1000 + PATIENCE_S
    found: list[float] = []
    waiting: list[tuple[str, float]] = []
    upcoming = iter(wanted)
    following = next(upcoming, None)
    while (waiting or following is not None) and time.time() < last_s:
        while following is not None and following[1] <= time.time() * 1000:
            waiting.append(following)
            following = next(upcoming, None)
        looked_s = time.perf_counter()
        if waiting:
            times = read_times([who for who, _ in waiting])
            now_ms = time.time() * 1000
            left = []
            for (who, due_ms), time_ms in zip(waiting, times, strict=True):
                # The event time of an event is the instant it was due, in whole milliseconds.
                if time_ms is not None and time_ms >= int(due_ms):
                    found.append(now_ms - due_ms)
                else:
                    left.append((who, due_ms))
            waiting = left
        time.sleep(max(PAUSE_S, REST * (time.perf_counter() - looked_s)))
    return found


def watched(count: int) -> int:
    """How many of `count` events are watched."""
    return -(-count // WATCHED_EVERY)

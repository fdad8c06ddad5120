"""Alarms against the drifts that a stream is known to have."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Drift(msgspec.Struct, frozen=True):
    """A drift that begins with the event of that number and has come about `width` events later."""

    at: int
    width: int = 0


class Alarm(msgspec.Struct, frozen=True):
    """The window that ends before event `at` was said to differ, in these names."""

    at: int
    names: list[str]


class Found(msgspec.Struct, frozen=True):
    """What became of the known drifts of one stream.

    `delay_events` has a number for each drift that was found. Calm windows are those that were judged and reach into no
    drift: from its begin until it was found, or until the next begins. A second alarm of one drift is a false one.
    """

    detected: int
    missed: int
    delay_events: list[int]
    calm_windows: int
    false_alarms: int
    memory_bytes_per_feature: float
    alarms: list[Alarm] = []

    @property
    def false_alarms_per_100_windows(self) -> float:
        """0 where there was no calm window."""
        return 100 * self.false_alarms / self.calm_windows if self.calm_windows else 0.0


def found(
    drifts: Sequence[Drift],
    alarms: Sequence[Alarm],
    windows: Sequence[tuple[int, int]],
    memory_bytes_per_feature: float,
) -> Found:
    """The verdict; `windows` are the begins and ends of all that were judged, in events."""
    delays: dict[int, int] = {}
    false = 0
    for alarm in alarms:
        begun = [place for place, drift in enumerate(drifts) if drift.at < alarm.at]
        if begun and begun[-1] not in delays:
            delays[begun[-1]] = alarm.at - drifts[begun[-1]].at
        elif not begun or alarm.at > drifts[begun[-1]].at + drifts[begun[-1]].width + delays[begun[-1]]:
            # While a slow drift comes about, another alarm is no false one.
            false += 1
    return Found(
        len(delays),
        len(drifts) - len(delays),
        [delays[place] for place in sorted(delays)],
        sum(_calm(window, drifts, delays) for window in windows),
        false,
        memory_bytes_per_feature,
        list(alarms),
    )


def _calm(window: tuple[int, int], drifts: Sequence[Drift], delays: dict[int, int]) -> bool:
    begin, end = window
    for place, drift in enumerate(drifts):
        until = drifts[place + 1].at if place + 1 < len(drifts) else 2**62
        over = drift.at + max(drift.width, delays[place]) if place in delays else until
        if end > drift.at and begin < over:
            return False
    return True

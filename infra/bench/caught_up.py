"""Waiting until the jobs have read all there is: a measurement must not pay for the one before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

# Prometheus looks every 5 s, and the sources tell a moment later: what it says at first is of the time before.
LOOK_S = 7.0
# What is always on its way while nothing is sent.
FEW = 500
PATIENCE_S = 600.0

# How many records each job has not read; None where nobody knows.
ReadLags = Callable[[], dict[str, int | None]]


def wait(
    lags: ReadLags,
    jobs: Sequence[str],
    tell: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    patience_s: float = PATIENCE_S,
) -> bool:
    """Until none of the jobs is behind; False when one still is, or its lag is not known, after `patience_s`."""
    waited_s = 0.0
    while waited_s < patience_s:
        sleep(LOOK_S)
        waited_s += LOOK_S
        seen = lags()
        behind = [
            f"{job} {'?' if (lag := seen.get(job)) is None else f'{lag:,}'}" for job in jobs if not _few(seen, job)
        ]
        if not behind:
            return True
        tell(f"behind: {', '.join(behind)}")
    return False


def _few(seen: dict[str, int | None], job: str) -> bool:
    lag = seen.get(job)
    return lag is not None and lag <= FEW

"""The Python interpreter of a TaskManager, set for threads that pass batches on and objects that stay."""

from __future__ import annotations

import gc
import sys

# A thread that comes back from a socket or from Java waits that long for one that computes; Python's own 5 ms, at each
# of a batch's calls, would be most of its latency.
SWITCH_S = 0.0005
# The entities in memory are hundreds of thousands of objects without a cycle: looking through them for garbage every
# 700 new objects was a tenth of the processor's time.
YOUNG, MIDDLE, OLD = 50_000, 20, 100


def prepare() -> None:
    """Set what holds for the whole process; called by each operator that opens in it."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, MIDDLE, OLD)

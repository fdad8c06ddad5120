"""The Python interpreter of a TaskManager, set for threads that pass batches on and objects that stay."""

from __future__ import annotations

import gc
import sys

# A thread that comes back from a socket waits up to this long for one that computes (DECISIONS.md, 109).
SWITCH_S = 0.0005
# New objects before the collector looks for garbage, and how many of its looks until it goes through older ones.
YOUNG, MIDDLE, OLD = 50_000, 20, 100


def prepare() -> None:
    """Set what holds for the whole process; called by each operator that opens in it."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, MIDDLE, OLD)

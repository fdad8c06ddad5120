"""A job that nobody waits for yields the processor to those that answer."""

from __future__ import annotations

import os
import threading

NICENESS, NICEST = 10, 19


def yield_to_others() -> None:
    """Make the calling thread nicer, it alone; a backlog must not take the processor from what is fresh."""
    thread = threading.get_native_id()
    # Beside what the process has: one that is nice itself would else not yield to its own kind.
    nicer = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, min(nicer, NICEST))

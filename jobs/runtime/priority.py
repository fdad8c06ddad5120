"""How a process or a thread stands back from those that must answer sooner, while the processor is short."""

from __future__ import annotations

import os
import threading
import time
import warnings
from pathlib import Path

NICEST = 19
# The kernel takes one such wish in a tenth of a second from those who are not root.
RETRY_S = 0.1
TRIES = 50


def of_process(pid: int, niceness: int) -> None:
    """Give a process that leads a session, and whatever else is in it, this niceness beside other sessions.

    Linux shares the processor out among sessions first, and what `nice` says counts only within one; every part of a
    stack leads a session of its own (DECISIONS.md, 97). A process that leads none is left alone, for others would be
    held back with it. Where there are no such groups, as in most containers, the share of the container counts.
    Warns when the kernel would not take it.
    """
    group = Path(f"/proc/{pid}/autogroup")
    try:
        if os.getsid(pid) != pid or not group.exists():
            return
        for _ in range(TRIES):
            _, _, held = group.read_text().rpartition(" ")
            if int(held) == niceness:
                return
            try:
                group.write_text(str(niceness))
            except BlockingIOError:
                time.sleep(RETRY_S)
        refused = "the kernel was asked too often"
    except (ProcessLookupError, FileNotFoundError):
        return
    except (OSError, ValueError) as error:
        refused = str(error)
    warnings.warn(
        f"process {pid} keeps its priority beside others, niceness {niceness} failed: {refused}", stacklevel=2
    )


def of_thread(niceness: int) -> None:
    """Make the calling thread nicer than it is; a thread that is nice already yields to its own kind, too."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + niceness, NICEST))

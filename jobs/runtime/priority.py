"""How a process or a thread stands back from those that must answer sooner, while the processor is short."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

NICEST = 19
# The kernel takes one such wish in a tenth of a second from those who are not root.
RETRY_S = 0.1
TRIES = 50


def of_process(pid: int, niceness: int) -> None:
    """Give the process, and whatever shares its session, this niceness beside other sessions.

    Linux shares the processor out among sessions first, and what `nice` says counts only within one; every part of a
    stack leads a session of its own (DECISIONS.md, 97). Where there are no such groups, as in most containers, the
    share of the container counts, and this does nothing.
    """
    group = Path(f"/proc/{pid}/autogroup")
    for _ in range(TRIES):
        try:
            _, _, held = group.read_text().rpartition(" ")
            if int(held) != niceness:
                group.write_text(str(niceness))
        except BlockingIOError:
            time.sleep(RETRY_S)
        except (OSError, ValueError):
            return
        else:
            return


def of_thread(niceness: int) -> None:
    """Make the calling thread nicer than it is; a thread that is nice already yields to its own kind, too."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + niceness, NICEST))

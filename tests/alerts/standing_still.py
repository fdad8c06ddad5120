"""Parts of the running stack that stand still for seconds, and go on whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from infra.stack import process as parts
from infra.stack.home import Home
from schemas.settings import Settings

# By then a part goes on for good, even if this process is gone.
LONGEST_PAUSE_S = 20


@contextmanager
def paused(settings: Settings, name: str) -> Iterator[None]:
    """A part whose process group stands still until the block ends, or for LONGEST_PAUSE_S were it the end of us."""
    running = parts.find(Home.of(settings), name)
    assert running is not None, f"{name} does not run"
    group = os.getpgid(running.pid)
    woken = ["sh", "-c", f"sleep {LONGEST_PAUSE_S}; kill -s CONT -- -{group}"]
    waker = subprocess.Popen(woken, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        os.killpg(group, signal.SIGSTOP)
        yield
    finally:
        os.killpg(group, signal.SIGCONT)
        os.killpg(waker.pid, signal.SIGKILL)
        waker.wait()

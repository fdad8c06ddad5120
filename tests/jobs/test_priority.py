"""How processes and threads stand back, on this machine's kernel."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from jobs.catalogue import JOBS
from jobs.runtime import priority

groups = pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel has no groups of sessions")


@groups
def test_a_session_stands_back_and_comes_forward_again() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        for niceness in (7, 7, 0):
            priority.of_process(child.pid, niceness)
            assert Path(f"/proc/{child.pid}/autogroup").read_text().endswith(f" nice {niceness}\n")
    finally:
        child.kill()
        child.wait()


@groups
def test_a_process_that_shares_its_session_is_left_alone() -> None:
    before = Path("/proc/self/autogroup").read_text()
    child = subprocess.Popen(["sleep", "60"])
    try:
        priority.of_process(child.pid, 7)
        assert Path("/proc/self/autogroup").read_text() == before
    finally:
        child.kill()
        child.wait()


@groups
def test_what_the_kernel_refuses_is_said() -> None:
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        with pytest.warns(UserWarning, match=f"process {child.pid} keeps its priority"):
            priority.of_process(child.pid, 99)
    finally:
        child.kill()
        child.wait()


def test_a_process_that_is_gone_is_left_alone() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    priority.of_process(child.pid, 5)


def test_a_thread_stands_back_by_itself() -> None:
    found: list[int] = []

    def nicer() -> None:
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        priority.of_thread(2)
        once = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        priority.of_thread(40)
        found.extend((once - before, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=nicer)
    thread.start()
    thread.join()
    assert found == [min(2, priority.NICEST - before), priority.NICEST]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_what_must_answer_stands_back_from_nobody() -> None:
    assert {job.name for job in JOBS.values() if job.niceness == 0} >= {"score_transactions", "recommend"}
    assert JOBS["materialize"].niceness > 0

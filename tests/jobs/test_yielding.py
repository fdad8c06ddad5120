"""What nobody waits for yields the processor."""

from __future__ import annotations

import os
import threading

from jobs.runtime.yielding import NICENESS, NICEST, yield_to_others


def in_a_thread():
    """The niceness of a thread before, after one yield and after many."""
    seen = []

    def run():
        thread = threading.get_native_id()
        seen.append(os.getpriority(os.PRIO_PROCESS, thread))
        yield_to_others()
        seen.append(os.getpriority(os.PRIO_PROCESS, thread))
        for _ in range(3):
            yield_to_others()
        seen.append(os.getpriority(os.PRIO_PROCESS, thread))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return seen


def test_a_thread_is_nicer_than_its_process_and_never_beyond_the_nicest():
    before, once, often = in_a_thread()
    assert once == min(before + NICENESS, NICEST)
    assert often == NICEST


def test_the_other_threads_keep_their_priority():
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    in_a_thread()
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own

"""A learning process from start to end: the loop between its edges, with checkpoints by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

from online_learning.log_edge import LabelledLog, Told
from online_learning.loop import Loop, newest
from online_learning.process_metrics import ProcessMetrics


def run(
    loop: Loop,
    log: LabelledLog,
    told: Told,
    metrics: ProcessMetrics,
    *,
    checkpoint_s: float,
    stopped: Callable[[], bool],
) -> None:
    """Learn until `stopped` says so, or until the log ends if it does; the last state is saved.

    Raises OperatorError when a learner is learned by another process, LogGapError when the log forgot what it
    had to learn next, PartFailedError when Kafka refuses.
    """
    # From its begin on it is not stuck, however long what it waits for takes.
    metrics.beat(time.time())
    with ExitStack() as owned:
        for student in loop.students:
            owned.enter_context(student.file.owned())
        log.start(loop.start(log.partitions, log.held()))
        # What happened until now was told by the process before, what comes is ours from the first example on.
        metrics.show(loop.courses, 0, log.merge.disordered)
        started_ms = time.time() * 1000
        saved_s = time.monotonic()
        while not stopped() and (records := log.read()) is not None:
            metrics.beat(time.time())
            told.tell(newest(loop.take(records)))
            if loop.silent and log.caught_up(started_ms):
                told.tell(loop.caught_up())
            if time.monotonic() >= saved_s + checkpoint_s:
                _save(loop, log, told, metrics)
                saved_s = time.monotonic()
        if log.ends:
            told.tell(loop.caught_up())
        _save(loop, log, told, metrics)


def _save(loop: Loop, log: LabelledLog, told: Told, metrics: ProcessMetrics) -> None:
    # What is told stands in Kafka before the checkpoint says that it was.
    told.flush()
    loop.save()
    metrics.show(loop.courses, log.lag, log.merge.disordered)

"""The minute that is watched: events leave at their time, what is counted is shown, until the last answer or Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event as Signal
from typing import TypeVar

from infra import wall_clock
from infra.demo import jobs, live
from infra.demo.catch_up import check
from infra.demo.flow import Flow
from infra.demo.history import Asked
from infra.demo.screen import Screen, View
from schemas.errors import PartFailedError
from schemas.events import Event
from schemas.settings import Settings

E = TypeVar("E", bound=Event)
# Draws the events from a time in ms on; tells what is to be seen at a time in s, and how much waits for an answer.
Draw = Callable[[int], Sequence[E]]
Look = Callable[[float], tuple[View, int]]

FRAME_S = 0.25
LEAD_MS = 300
# For what is on its way when the last event was sent; less when somebody wants to leave.
LAST_ANSWERS_S = 15.0
HURRIED_S = 3.0


def watch(
    settings: Settings,
    draw: Draw[E],
    sent: Callable[[E], None],
    look: Look,
    screen: Screen,
    pool: ThreadPoolExecutor,
    reading: Future[None],
) -> None:
    """Send what is drawn and show what there is to see. Raises what ended the sending or the reading."""
    first_ms = wall_clock.now_ms()
    drawn = draw(first_ms)
    # Drawing takes its time, and nothing may be late before it begins.
    start_ms = wall_clock.now_ms() + LEAD_MS
    enough = Signal()
    sending = pool.submit(partial(live.send, settings.kafka, live.moved(drawn, start_ms - first_ms), sent, enough))

    def frame() -> int:
        view, waiting = look(time.monotonic())
        screen.show(view, time.time() - start_ms / 1000)
        check(reading)
        time.sleep(FRAME_S)
        return waiting

    with screen.on():
        until_answered(sending, frame, enough)


def until_answered(sending: Future[None], frame: Callable[[], int], enough: Signal) -> None:
    """Call `frame` until all is sent and it says that nothing waits for an answer, or until Ctrl-C sets `enough`.

    Raises what ended the sending.
    """
    patience_s = LAST_ANSWERS_S
    try:
        while not sending.done():
            frame()
    except KeyboardInterrupt:
        patience_s = HURRIED_S
    finally:
        enough.set()
    sending.result()
    leave_s = time.monotonic() + patience_s
    while frame() and time.monotonic() < leave_s:
        pass


def require_answers(settings: Settings, asked: Asked, flow: Flow) -> None:
    """Raises PartFailedError with the reason when nothing that was sent has an answer."""
    if flow.sent and not flow.answered:
        reason = jobs.failure(settings, asked.job) or "the job runs"
        raise PartFailedError(
            f"none of {flow.sent:,} {asked.events} got a {asked.answer}: {reason}; see `sluice doctor`"
        )

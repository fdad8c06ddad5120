"""The demo of drift: the fraud changes, labels come quickly, and an online model changes the decisions meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from threading import Event as Signal
from typing import NamedTuple

import click
import numpy as np
from rich.console import Console

from infra import caught_up, control_topic, wall_clock
from infra.cli import learn
from infra.demo import customers, history, jobs, live
from infra.demo.catch_up import check
from infra.demo.drift_board import STRETCH_MS, DriftBoard
from infra.demo.drift_screen import DriftScreen, result
from infra.demo.run import prepare, say, start_jobs
from infra.demo.steps import Steps
from infra.demo.watch import until_answered
from infra.generator.payments.stream import Payment
from infra.learner_changes import set_one
from infra.learners_in_force import online_models
from infra.topic_tail import Tail
from jobs.names import JOIN
from schemas.control import Maturity, OnlineModel
from schemas.control_records import By, control_record
from schemas.errors import PartFailedError, SluiceError
from schemas.events import Decision, Label, Transaction
from schemas.settings import Settings
from schemas.topics import DECISIONS
from serving.history.label import label_of

NAME, NOTE = "demo-drift", "the demo of drift"
PATTERNS = ("the usual mixture", "remote_access")
# Three times what is usual, or a stretch would hold a handful of frauds.
FRAUD_SHARE = 0.02
REPORTED_SHARE = 0.85
# A review of seconds, and silence that counts after twenty: days in a minute.
REVIEW_MS = (4_000, 10_000)
SILENCE_S, SILENT_SHARE = 20.0, 1.0
# A learner that never saw these customers needs some thousand examples before it calms down.
BEFORE_SHARE = 0.4
LEAD_MS, FRAME_S = 500, 0.5


class Scheduled(NamedTuple):
    """What leaves at a time: a payment, or the label of one."""

    time_ms: int
    payment: Payment | None
    label: Label | None


def run(settings: Settings, rate: float, seconds: float, learner: str, console: Console) -> None:
    """Show it at `rate` payments a second for `seconds`, the fraud changing on the way. Raises errors of ours only."""
    steps, past, stop = Steps(console), history.Past(), Signal()
    prepare(settings, steps)
    stretch_s = STRETCH_MS // 1000
    switch_s = max(stretch_s, round(BEFORE_SHARE * seconds) // stretch_s * stretch_s)
    thresholds = control_topic.policy(settings.kafka).of
    boards: list[DriftBoard] = []

    def take(decision: Decision, _: float) -> None:
        past.answered(decision, time.monotonic())
        for board in boards:
            board.answered(decision)

    with (
        Tail(settings.kafka, DECISIONS.name) as tail,
        ThreadPoolExecutor(3) as pool,
        _learning(settings, learner) as lives,
    ):
        reading = pool.submit(live.read, tail, Decision, take, stop)
        try:
            start_jobs(settings, rate, steps, past, pool, reading)
            with steps.step(f"job {JOIN}") as tell:
                tell(f"runs as {jobs.ensure(settings, JOIN)}")
                # Behind a backlog it would tell of good payments minutes after the frauds among them.
                caught_up.require(settings, (JOIN,), tell)
            with _steered(settings, learner) as answer:
                start_ms = wall_clock.now_ms() + LEAD_MS
                board = DriftBoard(start_ms, thresholds)
                boards.append(board)
                say(console, f"{rate:g} payments a second for {seconds:g} s; the fraud changes after {switch_s} s")
                say(console, f"{learner} is a shadow, and has a part in the score from {switch_s - stretch_s} s on")
                plan = schedule(rate, seconds, switch_s, start_ms)
                screen = DriftScreen(console, switch_s, PATTERNS)
                joins = Joins(start_ms / 1000 + switch_s - stretch_s, answer)
                _watch(settings, plan, board, screen, start_ms, pool, (reading, lives, joins))
        finally:
            stop.set()
    for line in result(board, switch_s, round(seconds)):
        say(console, line)


def schedule(rate: float, seconds: float, switch_s: int, start_ms: int) -> list[Scheduled]:
    """Payments of the usual frauds, then of the new one, and the labels of those that are reported."""
    payments = [
        *customers.minute(rate, switch_s, start_ms, fraud_share=FRAUD_SHARE),
        *customers.minute(rate, seconds - switch_s, start_ms + switch_s * 1000, PATTERNS[1:], FRAUD_SHARE),
    ]
    rng = np.random.default_rng(customers.SEED)
    plan = [Scheduled(payment.transaction.event_time_ms, payment, None) for payment in payments]
    for transaction, pattern in payments:
        if pattern and rng.random() < REPORTED_SHARE:
            known_ms = transaction.event_time_ms + int(rng.integers(*REVIEW_MS))
            label = label_of(transaction, known_ms=known_ms, is_fraud=True, source="review")
            plan.append(Scheduled(known_ms, None, label))
    return sorted(plan, key=lambda one: one.time_ms)


def _watch(
    settings: Settings,
    plan: list[Scheduled],
    board: DriftBoard,
    screen: DriftScreen,
    start_ms: int,
    pool: ThreadPoolExecutor,
    beside: tuple[Future[None], Lives, Joins],
) -> None:
    """Send what is planned and show the board until the last decision, or until Ctrl-C."""
    enough = Signal()
    payments = {one.payment.transaction.event_id: one.payment for one in plan if one.payment is not None}

    def sent(event: Transaction | Label) -> None:
        if isinstance(event, Transaction):
            board.sent(payments[event.event_id])

    sending = pool.submit(partial(live.send, settings.kafka, _events(plan), sent, enough))
    reading, lives, joins = beside

    def frame() -> int:
        screen.show(board, time.time() - start_ms / 1000)
        check(reading)
        lives.check()
        joins.look(time.time())
        time.sleep(FRAME_S)
        return board.waiting

    with screen.on():
        until_answered(sending, frame, enough)
        screen.show(board, float("inf"))


def _events(plan: list[Scheduled]) -> Iterator[Transaction | Label]:
    for _, payment, label in plan:
        if payment is not None:
            yield payment.transaction
        if label is not None:
            yield label


class Joins:
    """Calls `answer` once, when it is time for the online model to have its part."""

    def __init__(self, due_s: float, answer: Callable[[], None]) -> None:
        self._due_s, self._answer, self._done = due_s, answer, False

    def look(self, now_s: float) -> None:
        """See whether it is time."""
        if not self._done and now_s >= self._due_s:
            self._done = True
            self._answer()


@contextmanager
def _steered(settings: Settings, learner: str) -> Iterator[Callable[[], None]]:
    """The online model as a shadow, and silence as a negative within seconds; taken back at the end.

    What is yielded makes it a member, who weighs what its performance on the newest labels is worth.
    """
    maturity = Maturity("chargeback", days=SILENCE_S / 86_400, share=SILENT_SHARE)
    _send(settings, OnlineModel(learner, "shadow"), maturity)
    try:
        yield lambda: _send(settings, OnlineModel(learner, "member"), maturity)
    finally:
        _send(settings, None, None)


def _send(settings: Settings, online: OnlineModel | None, maturity: Maturity | None) -> None:
    now_ms = wall_clock.now_ms()
    present = online_models(control_topic.current(settings.kafka).values())
    by = By("sluice", now_ms, NOTE)
    record = control_record("maturity", NAME, maturity, by)
    control_topic.send(settings.kafka, [*set_one(present, NAME, online, by), record])


class Lives:
    """The process that learns."""

    def __init__(self, settings: Settings, learner: str) -> None:
        self._learner = learner
        # A process of its own, as in earnest: learning must not wait for what is shown.
        self.process = get_context("spawn").Process(target=_learn, args=(settings, learner), daemon=True)

    def check(self) -> None:
        """Raises PartFailedError when it ended."""
        if not self.process.is_alive():
            raise PartFailedError(f"learner {self._learner} ended; see what `sluice learn {self._learner}` says")


@contextmanager
def _learning(settings: Settings, learner: str) -> Iterator[Lives]:
    lives = Lives(settings, learner)
    lives.process.start()
    try:
        yield lives
    finally:
        lives.process.terminate()
        lives.process.join(timeout=10)


def _learn(settings: Settings, learner: str) -> None:
    try:
        learn.command.main([learner], obj=settings)
    except SluiceError as error:
        # Its parent sees only that it ended.
        click.echo(f"sluice: {error}", err=True)
        sys.exit(1)

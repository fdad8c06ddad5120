"""The demo from the first step to the last line: stack, model, rules, jobs, the customers' past, then a minute live."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event as Signal

from rich.console import Console

from infra import wall_clock
from infra.demo import customers, decision_view, first_model, history, jobs, live, parts, starting_rules
from infra.demo.catch_up import World, catch_up
from infra.demo.farewell import farewell
from infra.demo.scoreboard import Scoreboard
from infra.demo.screen import Screen, View
from infra.demo.steps import Steps
from infra.demo.watch import require_answers, watch
from infra.generator.payments.stream import Payment
from infra.topic_tail import Tail
from schemas.events import Decision, Transaction
from schemas.models import Signature
from schemas.settings import Settings
from schemas.topics import DECISIONS
from schemas.units import DAY_MS


def run(settings: Settings, rate: float, seconds: float, console: Console) -> None:
    """Show the whole system at `rate` payments a second for `seconds`, or until Ctrl-C. Raises errors of ours only."""
    steps = Steps(console)
    model = prepare(settings, steps)
    board, past, stop = Scoreboard(), history.Past(), Signal()

    def take(decision: Decision, now_ms: float) -> None:
        past.answered(decision, time.monotonic())
        board.answered(decision, now_ms)

    with Tail(settings.kafka, DECISIONS.name) as tail, ThreadPoolExecutor(3) as pool:
        reading = pool.submit(live.read, tail, Decision, take, stop)
        try:
            job_id = start_jobs(settings, rate, steps, past, pool, reading)
            say(console, f"{steps.seconds:5.1f} s  all is ready: {rate:g} payments a second for {seconds:g} s")
            _watch(settings, rate, seconds, board, Screen(console, seconds), pool, reading)
        finally:
            stop.set()
    jobs.remember(settings, job_id, customers.customers(rate))
    picture = board.picture(time.monotonic())
    require_answers(settings, history.PAYMENTS, picture)
    say(console, farewell(settings, model, picture))


def prepare(settings: Settings, steps: Steps) -> Signature:
    """Stack, topics, tables, model and rules; what is there already is kept."""
    parts.ensure(settings, steps)
    with steps.step("model") as tell:
        model = first_model.present(settings) or first_model.make(settings, tell)
        tell(f"{model.name}@{model.version} in Production: {model.training_data}")
    with steps.step("rules") as tell:
        count, new = starting_rules.ensure(settings)
        tell(f"{count} {'put in force' if new else 'in force'}")
    return model


def start_jobs(
    settings: Settings, rate: float, steps: Steps, past: history.Past, pool: ThreadPoolExecutor, reading: Future[None]
) -> str:
    """The jobs, and the customers' past as far as the job does not know it; returns the scoring job's id."""
    number = customers.customers(rate)
    since_ms = wall_clock.now_ms() - DAY_MS
    world = World(number, partial(customers.history, rate), since_ms, f"the last day of {number:,} customers")
    return catch_up(settings, world, steps, past, pool, reading)


def _watch(
    settings: Settings,
    rate: float,
    seconds: float,
    board: Scoreboard,
    screen: Screen,
    pool: ThreadPoolExecutor,
    reading: Future[None],
) -> None:
    """Send the payments and show the scoreboard until the last decision, or until Ctrl-C."""
    truth: dict[str, str] = {}

    def draw(from_ms: int) -> list[Transaction]:
        payments = customers.minute(rate, seconds, from_ms)
        truth.update((payment.transaction.event_id, payment.pattern) for payment in payments)
        return [payment.transaction for payment in payments]

    def sent(transaction: Transaction) -> None:
        board.sent(Payment(transaction, truth[transaction.event_id]))

    def look(now_s: float) -> tuple[View, int]:
        picture = board.picture(now_s)
        return decision_view.view(picture), picture.waiting

    watch(settings, draw, sent, look, screen, pool, reading)


def say(console: Console, text: str) -> None:
    """Print a line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)

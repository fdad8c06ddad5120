"""The demo from the first step to the last line: stack, model, rules, jobs, the customers' past, then a minute live."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event as Signal

from rich.console import Console

from infra import stack, topics
from infra.demo import customers, first_model, history, jobs, live, starting_rules
from infra.demo.farewell import farewell
from infra.demo.scoreboard import Scoreboard
from infra.demo.screen import Screen
from infra.demo.steps import Steps
from infra.topic_tail import Tail
from jobs.names import MATERIALIZE, SCORE
from schemas.errors import PartFailedError
from schemas.events import Decision
from schemas.models import Signature
from schemas.settings import Settings
from schemas.topics import DECISIONS
from serving.stores import cassandra_history
from serving.windows import DAY_MS

FRAME_S = 0.25
LEAD_MS = 300
# For what is on its way when the last payment was sent; less when somebody wants to leave.
LAST_DECISIONS_S = 15.0
HURRIED_S = 3.0


def run(settings: Settings, rate: float, seconds: float, console: Console) -> None:
    """Show the whole system at `rate` payments a second for `seconds`, or until Ctrl-C. Raises errors of ours only."""
    steps = Steps(console)
    model = prepare(settings, steps)
    board, past, stop = Scoreboard(), history.Past(), Signal()

    def take(decision: Decision, now_ms: float) -> None:
        past.answered(decision, time.monotonic())
        board.answered(decision, now_ms)

    with Tail(settings.kafka, DECISIONS.name) as tail, ThreadPoolExecutor(3) as pool:
        reading = pool.submit(live.read, tail, take, stop)
        try:
            job_id = start_jobs(settings, rate, steps, past, pool, reading)
            say(console, f"{steps.seconds:5.1f} s  all is ready: {rate:g} payments a second for {seconds:g} s")
            _watch(settings, rate, seconds, board, Screen(console, seconds), pool, reading)
        finally:
            stop.set()
    jobs.remember(settings, job_id, customers.customers(rate))
    picture = board.picture(time.monotonic())
    if picture.sent and not picture.answered:
        reason = jobs.failure(settings, SCORE) or "the job runs"
        raise PartFailedError(f"no payment got a decision: {reason}; see `sluice doctor`")
    say(console, farewell(settings, model, picture))


def prepare(settings: Settings, steps: Steps) -> Signature:
    """Stack, topics, tables, model and rules; what is there already is kept."""
    with steps.step("stack") as tell:
        running = stack.up(settings, lambda part, line: tell(f"{part} {line}".strip()))
        tell("topics and tables")
        topics.create(settings)
        cassandra_history.create_schema(settings.cassandra)
        tell(f"{len(running)} parts healthy")
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
    with steps.step(f"job {SCORE}") as tell:
        job_id = jobs.ensure(settings, SCORE)
        tell(f"runs as {job_id}")
    # Submitting takes seconds that the past needs, too.
    materialize = pool.submit(jobs.ensure, settings, MATERIALIZE)
    number = customers.customers(rate)
    now_ms = time.time_ns() // 1_000_000
    since_ms = max(jobs.known_until_ms(settings, job_id, number), now_ms - DAY_MS)
    with steps.step(f"the last day of {number:,} customers") as tell:
        history.send(settings, customers.history(rate, since_ms, now_ms), past)
        history.wait(settings, past, lambda: check(reading), tell)
        if past.first_s is not None:
            tell(f"{past.sent:,} payments, the first decision {past.first_s - steps.begun_s:.0f} s after the start")
        jobs.remember(settings, job_id, number)
    with steps.step(f"job {MATERIALIZE}") as tell:
        tell(f"runs as {materialize.result()}")
    return job_id


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
    first_ms = time.time_ns() // 1_000_000
    payments = customers.minute(rate, seconds, first_ms)
    start_ms = time.time_ns() // 1_000_000 + LEAD_MS
    enough = Signal()
    sending = pool.submit(live.send, settings.kafka, payments, first_ms, start_ms, board, enough)

    def frame() -> int:
        picture = board.picture(time.monotonic())
        screen.show(picture, time.time() - start_ms / 1000)
        check(reading)
        time.sleep(FRAME_S)
        return picture.waiting

    with screen.on():
        patience_s = LAST_DECISIONS_S
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


def check(reading: Future[None]) -> None:
    """Raise what ended the thread that reads decisions, if it ended."""
    if reading.done():
        reading.result()


def say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)

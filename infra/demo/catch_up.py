"""The jobs of a demo brought up to the present: they run, and know what their customers did before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import NamedTuple

from infra import wall_clock
from infra.demo import history, jobs
from infra.demo.steps import Steps, Tell
from jobs.names import MATERIALIZE
from schemas.events import Event
from schemas.settings import Settings


class World(NamedTuple):
    """Who acts: how many, what they do from a time in ms to another, and since when a job should know it.

    `title` says what part of their past that is. `catalogue` is what the job must know before anything of it.
    """

    people: int
    history: Callable[[int, int], Iterable[Event]]
    since_ms: int
    title: str
    catalogue: Sequence[Event] = ()


def catch_up(
    settings: Settings, world: World, steps: Steps, past: history.Past, pool: ThreadPoolExecutor, reading: Future[None]
) -> str:
    """The job that is asked and the one that keeps its answers, and the past; returns the id of the one asked."""
    asked = past.asked
    with steps.step(f"job {asked.job}") as tell:
        job_id = jobs.ensure(settings, asked.job)
        tell(f"runs as {job_id}")
    # Submitting takes seconds that the past needs, too.
    materialize = pool.submit(jobs.ensure, settings, MATERIALIZE)
    now_ms = wall_clock.now_ms()
    since_ms = max(jobs.known_until_ms(settings, job_id, world.people, asked.job), world.since_ms)
    with steps.step(world.title) as tell:
        events = iter(world.history(since_ms, now_ms))
        if world.catalogue:
            # Two topics have no order between them: the rest is sent once something after the catalogue is answered.
            _bring(settings, chain(world.catalogue, islice(events, 1)), past, reading, tell)
        _bring(settings, events, past, reading, tell)
        if past.first_s is not None:
            after_s = past.first_s - steps.begun_s
            tell(f"{past.sent:,} {asked.events}, the first {asked.answer} {after_s:.0f} s after the start")
        jobs.remember(settings, job_id, world.people, asked.job)
    with steps.step(f"job {MATERIALIZE}") as tell:
        tell(f"runs as {materialize.result()}")
    return job_id


def _bring(settings: Settings, events: Iterable[Event], past: history.Past, reading: Future[None], tell: Tell) -> None:
    history.send(settings, events, past)
    history.wait(settings, past, lambda: check(reading), tell)


def check(reading: Future[None]) -> None:
    """Raise what ended the thread that reads answers, if it ended."""
    if reading.done():
        reading.result()

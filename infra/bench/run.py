"""A bench from start to end: each measurement by its name, in an order in which none spoils the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from infra import caught_up, control_topic, flink_client, wall_clock
from infra.bench import (
    alerts,
    curves,
    drift,
    freshness,
    latency,
    learner,
    lists,
    plain_loop,
    recovery,
    reference,
    state_size,
    store_fault,
    throughput,
)
from infra.demo import first_model, starting_rules
from infra.demo.steps import Steps, Tell
from infra.stack import part_state
from jobs.bench_reference.job import BENCH_OUT
from jobs.names import FRAUD_JOBS
from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import DECISIONS, TRANSACTIONS
from serving import model
from serving.control import Control

RATES = (1_000, 2_000, 5_000)
REFERENCE_RATE = 5_000
WARM_UP_RATE = 2_000
FRESHNESS_RATE = RECOVERY_RATE = 1_000
CLICK_RATES = (100, 250, 500)
USERS, REFERENCE_USERS, SHOPPERS = 20_000, 10_000, 50_000


@dataclass(frozen=True)
class Scale:
    """How long and how much; counts are payments, `labelled` are labelled examples, `kills` those of a store."""

    warm_up_s: float
    seconds: float
    backlog: int
    loop: int
    answers: int
    reference_backlog: int
    curve_events: int
    recovery_s: float
    labelled: int
    labelled_long: int
    alerts: int
    kills: int
    shoppers: int


FULL = Scale(60, 20, 300_000, 200_000, 20_000, 400_000, 1_000, 45, 300_000, 10_000_000, 60, 3, SHOPPERS)
QUICK = Scale(3, 4, 10_000, 5_000, 2_000, 10_000, 100, 30, 20_000, 50_000, 10, 1, 5_000)


@dataclass(frozen=True)
class Bench:
    """What every measurement is handed."""

    settings: Settings
    scale: Scale
    control: Control
    tell: Tell = lambda _: None


Measure = Callable[[Bench], Any]
# Handed each result the moment it is there: when, where and on which model it was measured, then the result as a part
# of what `run` returns, such as {"latency": {"1000": Latency}}.
Told = Callable[[dict[str, Any], dict[str, Any]], None]


class Part(NamedTuple):
    """What gives a result of its own."""

    title: str
    measure: Measure


def _latency(rate: int) -> Part:
    def measure(bench: Bench) -> Any:
        found = latency.measure(
            bench.settings.kafka,
            TRANSACTIONS.name,
            DECISIONS.name,
            rate=rate,
            seconds=bench.scale.seconds,
            users=USERS,
        )
        return {str(rate): found}

    return Part(f"latency at {rate:,}/s", measure)


def _throughput(bench: Bench) -> Any:
    return throughput.drain(
        bench.settings.kafka, TRANSACTIONS.name, DECISIONS.name, count=bench.scale.backlog, users=USERS
    )


def _drift(bench: Bench) -> Any:
    return drift.measure(
        bench.settings, bench.control, backlog=bench.scale.backlog, answers=bench.scale.answers, users=USERS
    )


def _recommend(bench: Bench) -> Any:
    return lists.measure(
        bench.settings,
        rates=CLICK_RATES,
        seconds=bench.scale.seconds,
        warm_up_s=bench.scale.warm_up_s,
        users=bench.scale.shoppers,
        tell=bench.tell,
    )


def _plain_loop(bench: Bench) -> Any:
    return plain_loop.measure(bench.settings, BENCH_OUT.name, count=bench.scale.loop, users=USERS)


def _freshness(bench: Bench) -> Any:
    return freshness.measure(bench.settings, rate=FRESHNESS_RATE, seconds=bench.scale.seconds, users=USERS)


def _store_read(bench: Bench) -> Any:
    return freshness.store_reads(bench.settings, users=USERS)


def _memory(bench: Bench) -> Any:
    states = part_state.parts(bench.settings)
    return {state.name: round(state.memory_mb, 1) for state in states if state.memory_mb is not None}


def _state(bench: Bench) -> Any:
    return {
        "bytes": state_size.bytes_by_kind(bench.control),
        "recommend_bytes": state_size.recommender_bytes(SHOPPERS),
        "checkpoint_mb": state_size.checkpoint_mb(bench.settings),
    }


def _curves(bench: Bench) -> Any:
    return curves.curves(bench.control, bench.settings.job.cached_entities, bench.scale.curve_events)


def _learner(bench: Bench) -> Any:
    return learner.measure(bench.scale.labelled)


def _learner_memory(bench: Bench) -> Any:
    return learner.measure(bench.scale.labelled_long, learner.FEW_FEATURES)


def _reference(bench: Bench) -> Any:
    return reference.run(
        bench.settings,
        rate=REFERENCE_RATE,
        seconds=bench.scale.seconds,
        warm_up_s=bench.scale.warm_up_s,
        backlog=bench.scale.reference_backlog,
        users=REFERENCE_USERS,
    )


def _alerts(bench: Bench) -> Any:
    return {"published": alerts.measure(bench.settings, count=bench.scale.alerts)}


def _store_fault(bench: Bench) -> Any:
    return {"store_down_s": store_fault.measure(bench.settings, kills=bench.scale.kills)}


def _recovery(bench: Bench) -> Any:
    return recovery.run(bench.settings, rate=RECOVERY_RATE, seconds=bench.scale.recovery_s, users=USERS)


# The parts of a measurement give parts of its result.
MEASUREMENTS: dict[str, tuple[Part, ...]] = {
    "latency": tuple(map(_latency, RATES)),
    "freshness": (Part("freshness", _freshness),),
    "store-read": (Part("store-read", _store_read),),
    "throughput": (Part("throughput", _throughput),),
    "drift": (Part("throughput with and without the watch of drift", _drift),),
    "recommend": (Part("recommend", _recommend),),
    "plain-loop": (Part("plain-loop", _plain_loop),),
    "memory": (Part("memory", _memory),),
    "state": (Part("state", _state),),
    "curves": (Part("curves", _curves),),
    "learner": (Part("learner", _learner),),
    "learner-memory": (Part("learner-memory, of many examples", _learner_memory),),
    "reference": (Part("reference", _reference),),
    "alerts": (Part("alerts", _alerts), Part("alerts of a store that dies", _store_fault)),
    # Last, for it leaves a TaskManager cold.
    "recovery": (Part("recovery", _recovery),),
}
# These send payments to the scoring job, whose machine code must be warm.
WARM = {"latency", "freshness", "throughput", "drift", "recovery"}
# These submit a job of their own, or let one move to another TaskManager.
SPARE = {"drift", "recommend", "reference", "recovery"}
# These measure jobs that must have nothing else to do.
LIVE = WARM | {"recommend"}


def run(settings: Settings, names: list[str], scale: Scale, steps: Steps, told: Told) -> dict[str, Any]:
    """The results by name, with time, machine and model. Ends the jobs and deletes the topics that it made."""
    _require_slots(settings, names)
    facts: dict[str, Any] = {"at_ms": wall_clock.now_ms(), "machine": _machine()}
    with ExitStack() as ended:
        with steps.step("model, rules and jobs") as tell:
            signature = first_model.present(settings) or first_model.make(settings, tell)
            starting_rules.ensure(settings)
            started = ended.enter_context(_jobs(settings))
            ended.enter_context(reference.bench_topics(settings))
            tell(f"{signature.name}@{signature.version}; submitted here: {', '.join(started) or 'nothing'}")
        facts["model"] = f"{signature.name}@{signature.version}"
        bench = Bench(settings, scale, _control(settings))
        if WARM & set(names):
            with steps.step(f"warm-up, {scale.warm_up_s:g} s at {WARM_UP_RATE:,}/s"):
                _warm_up(bench)
        return facts | measure_all(
            bench, names, steps, lambda result: told(facts, result), partial(caught_up.require, settings, FRAUD_JOBS)
        )


def measure_all(
    bench: Bench,
    names: list[str],
    steps: Steps,
    told: Callable[[dict[str, Any]], None],
    catch_up: Callable[[Tell], None],
) -> dict[str, Any]:
    """The results of the named measurements; each is told before the next begins.

    `catch_up` is called before each measurement of a running job: nothing of the one before may be left to do.
    """
    found: dict[str, Any] = {}
    for name in names:
        for part in MEASUREMENTS[name]:
            if name in LIVE:
                with steps.step("waiting until no job is behind") as tell:
                    catch_up(tell)
            with steps.step(part.title):
                result = part.measure(bench)
            found[name] = found[name] | result if name in found else result
            told({name: result})
    return found


def _warm_up(bench: Bench) -> None:
    """Load until the machine code is there, and until the job has nothing left of what was there before."""
    found = latency.measure(
        bench.settings.kafka,
        TRANSACTIONS.name,
        DECISIONS.name,
        rate=WARM_UP_RATE,
        seconds=bench.scale.warm_up_s,
        users=USERS,
    )
    if found.lost:
        raise PartFailedError(f"{found.lost:,} payments of the warm-up had no decision; see `sluice doctor`")


def _require_slots(settings: Settings, names: list[str]) -> None:
    """Raises PartFailedError when jobs could only wait for a slot, before anything is measured."""
    present, free = flink_client.running(settings), flink_client.free_slots(settings)
    wanted = sum(name not in present for name in FRAUD_JOBS) * settings.job.parallelism
    wanted += settings.job.parallelism if SPARE & set(names) else 0
    if free < wanted:
        raise PartFailedError(
            f"slots of TaskManagers are short: this needs {wanted}, and {free} are free; end a job with `sluice stop`, "
            "or raise task_managers in [stack] and run `sluice up`"
        )


@contextmanager
def _jobs(settings: Settings) -> Iterator[list[str]]:
    """All jobs run until the block ends; then those that were submitted for it are cancelled."""
    started: list[str] = []
    try:
        for name in FRAUD_JOBS:
            if name not in flink_client.running(settings):
                flink_client.resume(name, settings)
                started.append(name)
        yield started
    finally:
        for name in started:
            flink_client.cancel(name, settings)


def _control(settings: Settings) -> Control:
    """The rules and the model in force, for the step in this process."""
    control = Control(lambda pointer: model.load(pointer, Path(settings.registry.path)))
    for record in control_topic.current(settings.kafka).values():
        control.apply(record)
    return control


def _machine() -> dict[str, Any]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(pages / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
    }

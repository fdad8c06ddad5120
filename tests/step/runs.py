"""The ways to run the step that must not differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from schemas.metrics import Metric
from serving import inflight
from serving.control import Control
from serving.decision_stage import DecisionStage
from serving.entity_cache import AllInMemory, Entities, EntityCache, Writes
from serving.entity_stage import EntityStage
from serving.inflight import Message, Output, Payment, Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline
from serving.stages import STAGES
from serving.user_stage import UserStage


def count(metric: Metric, value: str = "", by: int = 1, /) -> None:
    """Counts nothing."""


def clock_us() -> int:
    """Stands still."""
    return 0


def no_model(_: object) -> None:
    raise AssertionError("no test here loads a model from a folder")


def new_control() -> Control:
    return Control(no_model)  # type: ignore[arg-type]  # never loads


def merge(state: dict[str, bytes], writes: Writes) -> None:
    """What the job does with the writes of a batch."""
    for key, raw in writes.items():
        if raw is None:
            state.pop(key, None)
        else:
            state[key] = raw


def in_memory(batches: Iterable[Sequence[Record]], control: Control) -> list[Output]:
    """As a backfill runs: nothing is packed."""
    pipeline = Pipeline(AllInMemory(), Outcomes({}.get, 10), count, clock_us)
    return [output for batch in batches for output in pipeline.run(batch, control)]


def cached(batches: Iterable[Sequence[Record]], control: Control, limit: int, *, restart: bool = False) -> list[Output]:
    """Over bytes; with `restart` every batch begins with nothing but the bytes."""
    state: dict[str, bytes] = {}
    outputs: list[Output] = []
    entities, outcomes = EntityCache(state.get, limit), Outcomes(state.get, limit)
    for batch in batches:
        if restart:
            entities, outcomes = EntityCache(state.get, limit), Outcomes(state.get, limit)
        outputs += Pipeline(entities, outcomes, count, clock_us).run(batch, control)
        merge(state, entities.take_writes())
        merge(state, outcomes.take_writes())
    return outputs


def staged(batches: Iterable[Sequence[Record]], control: Control, limit: int) -> list[Output]:
    """As the job runs: each stage has state of its own, and bytes travel between the stages."""
    states: dict[str, dict[str, bytes]] = {kind: {} for kind in STAGES}
    entities = {kind: EntityCache(states[kind].get, limit) for kind in STAGES}
    outcomes = Outcomes(states["card"].get, limit)
    first, decision = UserStage(count, clock_us), DecisionStage(count, clock_us)
    stages = {kind: EntityStage(kind, count, clock_us) for kind in STAGES[1:]}
    outputs: list[Output] = []
    for batch in batches:
        messages: list[Message] = first.step(batch, entities["user"])
        for kind, stage in stages.items():
            messages = stage.step(inflight.unpack(inflight.pack(messages)), entities[kind])
        outputs += decision.step(messages, outcomes, control)
        for kind in STAGES:
            merge(states[kind], entities[kind].take_writes())
        merge(states["card"], outcomes.take_writes())
    return outputs


def seen(batches: Iterable[Sequence[Record]], entities: Entities, done: Callable[[], None]) -> list[Message]:
    """Every message with all its features; `done` is called after each batch."""
    pipeline = Pipeline(entities, Outcomes({}.get, 10), count, clock_us)
    found: list[Message] = []
    for batch in batches:
        found += pipeline.see(batch)
        done()
    return found


def payments_of(messages: Iterable[Message]) -> list[Payment]:
    return [message for message in messages if isinstance(message, Payment)]


def split(records: Sequence[Record], sizes: Sequence[int]) -> list[list[Record]]:
    """The records in batches of these sizes, over and over."""
    batches, start, turn = [], 0, 0
    while start < len(records):
        size = sizes[turn % len(sizes)]
        batches.append(list(records[start : start + size]))
        start, turn = start + size, turn + 1
    return batches

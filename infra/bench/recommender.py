"""A recommender in force while the bench measures: one that learned the bench's own shop, where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import msgspec

from infra import control_topic, wall_clock
from infra.bench.workload import acts, catalogue
from infra.demo import champion
from infra.demo.steps import Tell
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.register import NAME, register
from schemas.control import ModelPointer
from schemas.control_records import By, control_record
from schemas.settings import Settings
from serving.registry import PRODUCTION, Registry

PARAMETERS = Parameters(embeddings=Embeddings(rounds=6), trees=Trees(count=30), splits=1)
THREADS = 2


@contextmanager
def in_force(settings: Settings, users: int, tell: Tell) -> Iterator[str]:
    """The label of the recommender that answers.

    One made here is in the registry in Staging, and in force by its pointer alone, which goes at the end of the block:
    nobody who looks for a champion takes it for one. Raises OperatorError when a part is down.
    """
    found = champion.present(settings, NAME)
    if found is not None:
        yield f"{NAME}@{found}"
        return
    registry = Registry(Path(settings.registry.path))
    number = _made(registry, users, tell)
    _point(settings, registry.pointer(NAME, number, PRODUCTION))
    try:
        yield f"{NAME}@{number}"
    finally:
        _point(settings, None)


def _made(registry: Registry, users: int, tell: Tell) -> str:
    """Train on what the shop of the bench sees, and register."""
    now_ms = wall_clock.now_ms()
    past = [
        msgspec.structs.replace(act, event_id=f"past-{number}", event_time_ms=now_ms - users + number)
        for number, act in enumerate(acts(users))
    ]
    fitted = held_out.fit(catalogue(now_ms), past, PARAMETERS, stratified, threads=THREADS, tell=tell)
    return register(
        registry,
        fitted,
        PARAMETERS,
        data="Generated shop of the bench",
        code_version=version("sluice"),
        author="bench",
        at_ms=now_ms,
    )


def _point(settings: Settings, pointer: ModelPointer | None) -> None:
    by = By("bench", wall_clock.now_ms(), "for the time of a measurement")
    control_topic.send(settings.kafka, [control_record("model", NAME, pointer, by)])

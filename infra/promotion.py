"""Stage changes that reach the running jobs: gate, hash check, control topic, stage file, in this order.

The topic is told first. When Kafka can not be reached, nothing has changed; when the process dies between the two,
the jobs already score with the new version and the stage file still names the old one, and running the same command
again publishes the same pointer and writes the file. The other order could leave a registry that claims a version
that no job has ever heard of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.force import Force
from schemas.control import ModelPointer
from schemas.control_records import By, audit_record, control_record
from schemas.errors import GateError, InputError
from schemas.events import ControlRecord
from schemas.models import FRAUD, RECOMMEND, Promotion, Task
from serving import model
from serving.gate import GATES, Judgement
from serving.recommend import artifact as recommend_artifact
from serving.registry import PRODUCTION, Registry

Send = Callable[[list[ControlRecord]], None]

# How the jobs load a model of a task; of another, only the hash of its artifact is compared.
LOADERS: dict[Task, Callable[[ModelPointer, Path], object]] = {FRAUD: model.load, RECOMMEND: recommend_artifact.load}


@dataclass(frozen=True)
class Expected:
    """The champion that a version was compared with; None when there was none."""

    champion: str | None


def promote(
    registry: Registry, send: Send, name: str, promotion: Promotion, by_hand: Force, expected: Expected | None = None
) -> Judgement | None:
    """Put a version into a stage; for Production the gate judges it first (its answer is returned).

    With `expected` only in the place of that champion.
    Raises NotFoundError, GateError, SignatureError when the artifact is damaged, OperatorError when Kafka is not
    there; then nothing has changed.
    """
    registry.described(name, promotion.version)
    with registry.changing(name):
        judgement = None
        if expected is not None and registry.champion(name) != expected.champion:
            raise GateError(
                f"{name}@{promotion.version} was compared with champion {expected.champion or 'none'}, and now it is "
                f"{registry.champion(name) or 'none'}; compare them, and promote by hand"
            )
        if promotion.stage == PRODUCTION:
            judgement = _pass_gate(registry, name, promotion, by_hand)
            send([*_pointer(registry, name, promotion), _audit(name, promotion, "promote")])
        else:
            registry.require_may_enter(name, promotion)
            # Only Production scores: a pointer for another stage would take its place on the compacted topic.
            send([_audit(name, promotion, "promote")])
        registry.promote(name, promotion)
        return judgement


def roll_back(registry: Registry, send: Send, name: str, *, author: str, at_ms: int, note: str) -> str:
    """Point serving at the Production version before the present one, and return it.

    Raises NotFoundError when there is none, and what `promote` raises.
    """
    registry.predecessor(name)
    with registry.changing(name):
        version = registry.predecessor(name)
        promotion = Promotion(version, PRODUCTION, at_ms, author, note)
        send([*_pointer(registry, name, promotion), _audit(name, promotion, "rollback")])
        registry.roll_back(name, author=author, at_ms=at_ms, note=note)
        return version


def _pass_gate(registry: Registry, name: str, promotion: Promotion, by_hand: Force) -> Judgement | None:
    champion = registry.champion(name)
    if champion == promotion.version:
        return None
    task = registry.described(name, promotion.version).task
    present = task if champion is None else registry.described(name, champion).task
    if task != present:
        # Its pointer would take the place of the other task's on the compacted topic.
        raise InputError(
            f"{name}@{promotion.version} is for {task}, {name}@{champion} for {present}; register it under another name"
        )
    if task not in GATES:
        by_hand.override(f"{name}@{promotion.version}: no gate judges models for {task}", promotion.note)
        return None
    gate = GATES[task]
    challenger: Any = registry.measured(name, promotion.version, gate.metrics)
    judgement = gate.judge(challenger, None if champion is None else registry.measured(name, champion, gate.metrics))
    against = "no champion" if champion is None else f"champion {name}@{champion}"
    if judgement.answer == "ask" and not (by_hand.yes or by_hand.force):
        raise GateError(f"{name}@{promotion.version} against {against}: {judgement.reason}; add --yes if it is enough")
    if judgement.answer == "refuse":
        refusal = f"{name}@{promotion.version} against {against}: {judgement.reason}; train a better one"
        by_hand.override(refusal, promotion.note)
    return judgement


def _pointer(registry: Registry, name: str, promotion: Promotion) -> list[ControlRecord]:
    pointer = registry.pointer(name, promotion.version, PRODUCTION)
    # What no job could load is not announced.
    LOADERS.get(pointer.task, model.artifact)(pointer, registry.root)
    return [control_record("model", name, pointer, _by(promotion))]


def _audit(name: str, promotion: Promotion, action: str) -> ControlRecord:
    detail = {"model": name, "version": promotion.version, "stage": promotion.stage}
    return audit_record(action, name, detail, _by(promotion))


def _by(promotion: Promotion) -> By:
    return By(promotion.author, promotion.at_ms, promotion.note)

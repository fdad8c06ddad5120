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
from schemas.models import FRAUD, RECOMMEND, Promotion, Stage, Task
from schemas.units import HOUR_MS
from serving import model
from serving.gate import GATES, Judgement
from serving.recommend import artifact as recommend_artifact
from serving.registry import PRODUCTION, SHADOW, Registry

Send = Callable[[list[ControlRecord]], None]

# How the jobs load a model of a task; of another, only the hash of its artifact is compared.
LOADERS: dict[Task, Callable[[ModelPointer, Path], object]] = {FRAUD: model.load, RECOMMEND: recommend_artifact.load}


@dataclass(frozen=True)
class Expected:
    """The champion that a version was compared with; None when there was none."""

    champion: str | None


def shadow_record(name: str) -> str:
    """The name of the control record of a model's shadow: no model can be called so, and older jobs pass it by."""
    return f"{name}.shadow"


def shadow_hours(registry: Registry, name: str, version: str, now_ms: int) -> float | None:
    """For how long a version has been the shadow; None when it is not."""
    entered = registry.entered_shadow(name)
    return (now_ms - entered.at_ms) / HOUR_MS if entered and entered.version == version else None


def promote(
    registry: Registry, send: Send, name: str, promotion: Promotion, by_hand: Force, expected: Expected | None = None
) -> Judgement | None:
    """Put a version into a stage; for Production the gate judges it first (its answer is returned).

    In Shadow it scores beside the champion, until it leaves that stage or another enters it. With `expected` only in
    the place of that champion.
    Raises NotFoundError, GateError, SignatureError when the artifact is damaged, InputError for a shadow of another
    task than fraud, OperatorError when Kafka is not there; then nothing has changed.
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
            records = _pointer(registry, name, promotion)
        else:
            registry.require_may_enter(name, promotion)
            # Only Production answers: under its name on the compacted topic no other stage has a pointer.
            records = _shadow_pointer(registry, name, promotion) if promotion.stage == SHADOW else []
        send([*records, *_no_shadow(registry, name, promotion), _audit(registry, name, promotion, "promote")])
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
        ended = _no_shadow(registry, name, promotion)
        send([*_pointer(registry, name, promotion), *ended, _audit(registry, name, promotion, "rollback")])
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
    return [control_record("model", name, _loadable(registry, name, promotion.version, PRODUCTION), _by(promotion))]


def _shadow_pointer(registry: Registry, name: str, promotion: Promotion) -> list[ControlRecord]:
    task = registry.described(name, promotion.version).task
    if task != FRAUD:
        raise InputError(f"{name}@{promotion.version} is for {task}; only models for {FRAUD} can be shadows")
    pointer = _loadable(registry, name, promotion.version, SHADOW)
    return [control_record("model", shadow_record(name), pointer, _by(promotion))]


def _loadable(registry: Registry, name: str, version: str, stage: Stage) -> ModelPointer:
    pointer = registry.pointer(name, version, stage)
    # What no job could load is not announced.
    LOADERS.get(pointer.task, model.artifact)(pointer, registry.root)
    return pointer


def _no_shadow(registry: Registry, name: str, promotion: Promotion) -> list[ControlRecord]:
    """What ends the shadow where its version goes on to another stage."""
    if promotion.stage == SHADOW or registry.shadow(name) != promotion.version:
        return []
    return [control_record("model", shadow_record(name), None, _by(promotion))]


def _audit(registry: Registry, name: str, promotion: Promotion, action: str) -> ControlRecord:
    detail = {"model": name, "version": promotion.version, "stage": promotion.stage}
    hours = shadow_hours(registry, name, promotion.version, promotion.at_ms)
    if hours is not None and promotion.stage != SHADOW:
        detail["shadow_hours"] = f"{hours:.1f}"
    return audit_record(action, name, detail, _by(promotion))


def _by(promotion: Promotion) -> By:
    return By(promotion.author, promotion.at_ms, promotion.note)

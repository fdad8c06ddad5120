"""What a learner must have shown before it decides: it won against who decides now, nothing speaks against it, and
people could see what it says.
"""

from __future__ import annotations

from infra.force import Force
from infra.learners_in_force import Records, online_models
from online_learning.promotion import FELL_RECENTLY, QUARANTINED, comparison_of
from schemas.control import ModelPointer, OnlineModel
from schemas.control_records import By, of_type
from schemas.errors import GateError
from schemas.events import Snapshot
from schemas.settings import Promotion
from schemas.units import HOUR_MS
from serving.registry import PRODUCTION


def pass_gate(records: Records, snapshot: Snapshot, by: By, by_hand: Force, policy: Promotion) -> None:
    """Let a learner decide. Raises GateError when it may not and is not forced, InputError for force without a note."""
    if policy.mode == "off" and not by_hand.force:
        raise GateError("promotion is off in the settings; set promotion.mode, or override with --force and a --note")
    comparison = comparison_of(snapshot.metrics)
    verdict = "wait" if comparison is None else comparison.verdict
    present = is_against_present(records, snapshot)
    why = in_doubt(snapshot) or unseen(records, snapshot, policy, by.at_ms)
    if not why and present and (verdict == "promote" or (verdict == "ask" and by_hand.yes)):
        return
    way = "add --yes if a smaller gain is enough" if verdict == "ask" else "wait for more examples"
    if comparison is not None and not present:
        way = "another decides by now, wait for examples of its decisions"
    by_hand.override(f"{snapshot.learner}: {told(snapshot)}; {why or way}", by.note)


def in_doubt(snapshot: Snapshot) -> str:
    """Why a learner may not decide now, whatever its verdict; empty when it may."""
    if snapshot.metrics.get(QUARANTINED):
        return "labels that contradict it are in quarantine, wait until they are not"
    if snapshot.metrics.get(FELL_RECENTLY):
        return "it went back to its last good snapshot within a day, wait until it has not"
    return ""


def unseen(records: Records, snapshot: Snapshot, policy: Promotion, at_ms: int) -> str:
    """Why people can not know yet what a learner says; empty when they can."""
    if not policy.least_shadow_hours:
        return ""
    models = of_type(records.values(), OnlineModel)
    since = [r.event_time_ms for r, model in models if model.learner == snapshot.learner and model.mode != "off"]
    if not since:
        return (
            f"nobody saw what it says, `sluice learners promote {snapshot.learner} --mode shadow` "
            f"and wait {policy.least_shadow_hours} hours"
        )
    left = policy.least_shadow_hours - (at_ms - max(since)) / HOUR_MS
    return f"its mode is of {policy.least_shadow_hours - left:.1f} hours ago, wait {left:.1f} more" if left > 0 else ""


def is_against_present(records: Records, snapshot: Snapshot) -> bool:
    """Whether the snapshot's duel was against who decides now, or would without its learner.

    Without a model of the registry that control names, any of it will do, as for a snapshot that names no opponent:
    it is older than the field, and then all duels were with the registry's.
    """
    online = online_models(records.values()).values()
    crowned = {m.learner for m in online if m.task == snapshot.task and m.mode == "champion"} - {snapshot.learner}
    if crowned:
        return crowned == {snapshot.opponent}
    present = _registry_champion(records, snapshot.task)
    if snapshot.opponent and present:
        return snapshot.opponent == present
    return not snapshot.opponent or "@" in snapshot.opponent


def _registry_champion(records: Records, task: str) -> str:
    """The label of the newest model in Production, empty when control names none."""
    newest: tuple[int, str] = (-1, "")
    for record, pointer in of_type(records.values(), ModelPointer):
        if (pointer.task, pointer.stage) == (task, PRODUCTION):
            newest = max(newest, (record.event_time_ms, f"{pointer.name}@{pointer.version}"))
    return newest[1]


def told(snapshot: Snapshot | None) -> str:
    """How a learner stands against its opponent, in one line."""
    comparison = None if snapshot is None else comparison_of(snapshot.metrics)
    if snapshot is None or comparison is None:
        return "not compared with the champion yet"
    opponent = snapshot.opponent or "the champion"
    return (
        f"{comparison.challenger:.4f} against {comparison.champion:.4f} of {opponent} ({comparison.gain:+.1%}) "
        f"on {comparison.examples:,} examples, {comparison.positives:,} of them positive: {comparison.verdict}"
    )

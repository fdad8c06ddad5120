"""Which learner is shadow, member or champion: judged, told to the control topic with an audit record, and taken back.

Everything here follows from the records of the control topic: an audit record keeps what stood before and after, so
that a rollback needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from infra.force import Force
from online_learning.promotion import FELL_RECENTLY, QUARANTINED, action, comparison_of
from schemas import control
from schemas.control import Audit, ModelPointer, OnlineModel
from schemas.control_records import By, audit_record, control_record, of_type
from schemas.errors import GateError, InputError, InvalidError, NotFoundError
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion
from schemas.snapshots import UNPOOLED
from serving.registry import PRODUCTION

PROMOTE, ROLLBACK, SET_ASIDE = "promote_learner", "rollback_learner", "set_learner_aside"
SET, REMOVE = "set_learner", "remove_learner"
ANSWERING = ("member", "champion")
HOUR_MS = 3600 * 1000

Records = Mapping[str, ControlRecord]
# Record name -> what stood there, None = nothing.
Before = dict[str, OnlineModel | None]


def passed_over(records: Iterable[ControlRecord]) -> list[str]:
    """Why records that would matter here are passed over, a line each."""
    found = []
    for record in records:
        try:
            if record.kind in {"online_model", "audit", "model"}:
                control.payload(record)
        except InvalidError as error:
            found.append(str(error))
    return found


def online_models(records: Iterable[ControlRecord]) -> dict[str, OnlineModel]:
    """Record name -> what is in force."""
    return {record.name: model for record, model in of_type(records, OnlineModel)}


def promote(
    records: Records, snapshot: Snapshot | None, wanted: OnlineModel, by: By, by_hand: Force, policy: Promotion
) -> list[ControlRecord]:
    """The records that put a learner into a mode; a champion before becomes a shadow.

    To be champion, the learner must have won against who decides now. Raises NotFoundError when it never left a
    snapshot, GateError when it did not win and nobody answers for it, InputError for --force without a note or for a
    member whose part nothing measures.
    """
    if snapshot is None and wanted.mode != "off":
        raise NotFoundError(f"no snapshot of {wanted.learner}; run `sluice learn` until it leaves one")
    if snapshot is not None and snapshot.kind in UNPOOLED and wanted.mode == "member" and wanted.weight is None:
        raise InputError(
            f"{wanted.learner} says no probability, so its part is not measured; give it a --weight, or --mode shadow"
        )
    if wanted.mode == "champion" and snapshot is not None:
        _pass_gate(records, snapshot, by, by_hand, policy)
    present = online_models(records.values())
    names = [name for name, model in present.items() if model.learner == wanted.learner] or [wanted.learner]
    after: Before = dict.fromkeys(names, wanted)
    if wanted.mode == "champion":
        for name, model in present.items():
            if model.task == wanted.task and model.mode == "champion" and name not in after:
                after[name] = msgspec.structs.replace(model, mode="shadow")
    return _change(PROMOTE, wanted.learner, present, after, by)


def set_one(present: Mapping[str, OnlineModel], name: str, wanted: OnlineModel | None, by: By) -> list[ControlRecord]:
    """The records that put one record in place, or take it away (None), whatever the gate says.

    `present` is what is in force. Raises InputError for a champion, which has to pass the gate.
    """
    if wanted is None:
        learner = present[name].learner if name in present else name
        return _change(REMOVE, learner, present, {name: None}, by)
    if wanted.mode == "champion":
        raise InputError(f"a champion must have won; use `sluice learners promote {wanted.learner}`")
    return _change(SET, wanted.learner, present, {name: wanted}, by)


def set_aside(present: Mapping[str, OnlineModel], learner: str | None, by: By) -> list[ControlRecord]:
    """The records that make shadows of a learner, or of all, where they have a part in scores; none where none has.

    `present` is what is in force. Each learner has an audit record of its own, so that its rollback brings it back.
    """
    records: list[ControlRecord] = []
    for name in sorted({model.learner for model in present.values()} if learner is None else {learner}):
        after: Before = {
            place: msgspec.structs.replace(model, mode="shadow")
            for place, model in present.items()
            if model.learner == name and model.mode in ANSWERING
        }
        if after:
            records += _change(SET_ASIDE, name, present, after, by)
    return records


def roll_back(records: Records, learner: str, by: By) -> list[ControlRecord]:
    """The records that restore what stood before the learner's newest change that was not taken back yet.

    What was changed again since stays, and nobody becomes champion beside another: who was is a shadow then. Raises
    NotFoundError when there is no change, InputError when nothing is left of it to take back.
    """
    changes: list[Audit] = []
    for _, audit in of_type(sorted(records.values(), key=lambda r: r.event_time_ms), Audit):
        if audit.detail.get("learner") != learner:
            continue
        if audit.action in {PROMOTE, SET_ASIDE, SET, REMOVE}:
            changes.append(audit)
        elif audit.action == ROLLBACK and changes:
            changes.pop()
    if not changes:
        raise NotFoundError(f"nothing to take back for learner {learner}; see `sluice learners show {learner}`")
    try:
        before = msgspec.json.decode(changes[-1].detail["before"], type=Before)
        # Audit records were made that do not say what they put in place.
        after = msgspec.json.decode(changes[-1].detail.get("after", "null"), type=Before | None)
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(
            f"the audit record of {learner}'s newest change can not be read: {error}; "
            f"use `sluice learners promote {learner} --mode ...`"
        ) from error
    present = online_models(records.values())
    standing = {name: model for name, model in before.items() if after is None or present.get(name) == after.get(name)}
    restored = _with_one_champion(present, standing)
    if restored != before and all(present.get(name) == model for name, model in restored.items()):
        raise InputError(
            f"what was changed for {learner} was changed again since, and nothing of it is left to take back; "
            "take the later change back first, see `sluice learners show` of the other learner"
        )
    return _change(ROLLBACK, learner, present, restored, by)


def _with_one_champion(present: Mapping[str, OnlineModel], restored: Before) -> Before:
    """`restored`, but a shadow where another learner is champion of its task."""
    crowned = {m.task: m.learner for name, m in present.items() if m.mode == "champion" and name not in restored}
    found = dict(restored)
    for name, model in restored.items():
        if model and model.mode == "champion" and crowned.setdefault(model.task, model.learner) != model.learner:
            found[name] = msgspec.structs.replace(model, mode="shadow")
    return found


def by_policy(
    records: Records, snapshots: Iterable[Snapshot], policy: Promotion, at_ms: int
) -> tuple[list[ControlRecord], list[str]]:
    """What the policy makes of the newest snapshots: records of automatic changes, and learners to ask about.

    A verdict counts only against who decides now. Of several that won for one task, the one with the largest gain goes
    first; the others must win against it. A champion that proved worse than the registry's model is a shadow again.
    Who may not decide yet is passed over; who won without having a mode becomes a shadow.
    """
    champions = {(m.task, m.learner) for m in online_models(records.values()).values() if m.mode == "champion"}
    known = {m.learner for m in online_models(records.values()).values()}
    first: list[Snapshot] = []
    asked: list[str] = []
    best: dict[str, tuple[float, Snapshot]] = {}
    gone: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        comparison = comparison_of(snapshot.metrics)
        is_champion = (snapshot.task, snapshot.learner) in champions
        if comparison is None or comparison.defends != is_champion or not _is_against_present(records, snapshot):
            continue
        wanted = action(policy, comparison)
        if waits(records, snapshot, policy, at_ms):
            if wanted == "promote" and snapshot.learner not in known:
                first.append(snapshot)
            continue
        if wanted == "ask":
            asked.append(snapshot.learner)
        elif wanted == "step_down":
            gone[snapshot.task] = snapshot
        elif wanted == "promote" and comparison.gain > best.get(snapshot.task, (0.0, snapshot))[0]:
            best[snapshot.task] = (comparison.gain, snapshot)
    # Who won against a champion that lost its place has not won against the model that decides after it.
    changes = [(s, "shadow") for s in (*first, *gone.values())]
    changes += [(s, "champion") for t, (_, s) in best.items() if t not in gone]
    sent = []
    for snapshot, mode in changes:
        model = msgspec.convert({"learner": snapshot.learner, "mode": mode, "task": snapshot.task}, OnlineModel)
        by = By("sluice", at_ms, f"by policy: {told(snapshot)}")
        sent += promote(records, snapshot, model, by, Force(), policy)
    return sent, asked


def waits(records: Records, snapshot: Snapshot, policy: Promotion, at_ms: int) -> bool:
    """Whether a challenger's verdict is not acted on yet. A person is asked before its time as a shadow is over."""
    comparison = comparison_of(snapshot.metrics)
    if comparison is None or comparison.defends:
        return False
    acts = action(policy, comparison) == "promote"
    return bool(_in_doubt(snapshot) or (acts and _unseen(records, snapshot, policy, at_ms)))


def _in_doubt(snapshot: Snapshot) -> str:
    """Why a learner may not decide now, whatever its verdict; empty when it may."""
    if snapshot.metrics.get(QUARANTINED):
        return "labels that contradict it are in quarantine, wait until they are not"
    if snapshot.metrics.get(FELL_RECENTLY):
        return "it went back to its last good snapshot within a day, wait until it has not"
    return ""


def _unseen(records: Records, snapshot: Snapshot, policy: Promotion, at_ms: int) -> str:
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


def _is_against_present(records: Records, snapshot: Snapshot) -> bool:
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


def _pass_gate(records: Records, snapshot: Snapshot, by: By, by_hand: Force, policy: Promotion) -> None:
    if policy.mode == "off" and not by_hand.force:
        raise GateError("promotion is off in the settings; set promotion.mode, or override with --force and a --note")
    comparison = comparison_of(snapshot.metrics)
    verdict = "wait" if comparison is None else comparison.verdict
    present = _is_against_present(records, snapshot)
    why = _in_doubt(snapshot) or _unseen(records, snapshot, policy, by.at_ms)
    if not why and present and (verdict == "promote" or (verdict == "ask" and by_hand.yes)):
        return
    way = "add --yes if a smaller gain is enough" if verdict == "ask" else "wait for more examples"
    if comparison is not None and not present:
        way = "another decides by now, wait for examples of its decisions"
    by_hand.override(f"{snapshot.learner}: {told(snapshot)}; {why or way}", by.note)


def _change(what: str, learner: str, present: Mapping[str, OnlineModel], after: Before, by: By) -> list[ControlRecord]:
    before: Before = {name: present.get(name) for name in after}
    wanted = {name: model.mode if model else "none" for name, model in after.items()}
    detail = {
        "learner": learner,
        "modes": ", ".join(f"{name} {mode}" for name, mode in sorted(wanted.items())),
        "before": msgspec.json.encode(before).decode(),
        "after": msgspec.json.encode(after).decode(),
    }
    changes = [control_record("online_model", name, model, by) for name, model in sorted(after.items())]
    return [*changes, audit_record(what, learner, detail, by)]

"""Changes of which learner is shadow, member or champion, and their way back, as records of the control topic.

Everything here follows from the records of the control topic: an audit record keeps what stood before and after, so
that a rollback needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.force import Force
from infra.learner_gate import pass_gate
from infra.learners_in_force import Records, online_models
from schemas.control import Audit, OnlineModel
from schemas.control_records import By, audit_record, control_record, of_type
from schemas.errors import InputError, NotFoundError
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion
from schemas.snapshots import UNPOOLED

PROMOTE, ROLLBACK, SET_ASIDE = "promote_learner", "rollback_learner", "set_learner_aside"
SET, REMOVE = "set_learner", "remove_learner"
ANSWERING = ("member", "champion")

# Record name -> what stood there, None = nothing.
Before = dict[str, OnlineModel | None]


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
        pass_gate(records, snapshot, by, by_hand, policy)
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

"""What the settings of promotion make of learners' snapshots without anybody's doing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from infra.force import Force
from infra.learner_changes import promote
from infra.learner_gate import in_doubt, is_against_present, told, unseen
from infra.learners_in_force import Records, online_models
from online_learning.promotion import action, comparison_of
from schemas.control import OnlineModel
from schemas.control_records import By
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion


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
        if comparison is None or comparison.defends != is_champion or not is_against_present(records, snapshot):
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
    return bool(in_doubt(snapshot) or (acts and unseen(records, snapshot, policy, at_ms)))

"""Snapshots of learners that were compared, and a control topic in memory."""

from __future__ import annotations

import msgspec

from infra import control_topic, learner_changes
from infra.force import Force
from infra.learners_in_force import online_models
from online_learning.promotion import Comparison
from schemas import codec, control
from schemas.control import OnlineModel
from schemas.control_records import By
from schemas.events import ControlRecord, Snapshot
from schemas.settings import Promotion

# Where it is not about how long a learner was a shadow.
SEEN = Promotion(least_shadow_hours=0)


def snapshot_of(
    learner: str,
    verdict: str | None = "promote",
    gain: float = 0.1,
    task: str = "fraud",
    opponent: str = "",
    *,
    defends: bool = False,
    examples: int = 9000,
) -> Snapshot:
    compared = Comparison(
        verdict=verdict or "wait",
        examples=examples,
        positives=300,
        blocks=20,
        champion=0.5,
        challenger=0.5 * (1 + gain),
        gain=gain,
        log_evidence=4.0,
        defends=defends,
    )
    return Snapshot(
        event_id=f"{learner}-{examples}",
        event_time_ms=examples,
        learner=learner,
        task=task,
        kind="linear",
        examples=examples,
        feature_set="fraud-2",
        payload=msgspec.Raw(b"{}"),
        sha256="",
        metrics={} if verdict is None else compared.metrics(),
        opponent=opponent,
    )


class Topic:
    """The compacted control topic: the newest record of each key, and a clock that ticks."""

    def __init__(self) -> None:
        self.records: dict[str, ControlRecord] = {}
        self.now_ms = 1000

    def take(self, sent: list[ControlRecord]) -> None:
        for record in sent:
            # As the jobs would read it.
            assert control.payload(codec.decode(ControlRecord, codec.encode(record))) == control.payload(record)
            key = control_topic.key(record)
            self.records.pop(key, None)
            if not control_topic.is_deletion(record):
                self.records[key] = record

    def by(self, note: str = "") -> By:
        self.now_ms += 1
        return By("tester", self.now_ms, note)

    def promote(self, snapshot, mode="champion", policy=SEEN, note="", **by_hand) -> None:
        wanted = OnlineModel(snapshot.learner, mode=mode, task=snapshot.task)
        by = self.by(note)
        self.take(learner_changes.promote(self.records, snapshot, wanted, by, Force(**by_hand), policy))

    def modes(self) -> dict[str, str]:
        return {name: model.mode for name, model in online_models(self.records.values()).items()}

    def audits(self) -> list[str]:
        return [control.payload(r).action for r in self.records.values() if r.kind == "audit"]

"""The job: its topics, its stages in order, and what they emit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.runtime.controlled import Controlled
from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import metrics
from schemas.control import ModelPointer
from schemas.features import EntityKind
from schemas.topics import (
    DEAD_LETTERS,
    DECISIONS,
    FEATURE_UPDATES,
    LABELS,
    LATE_EVENTS,
    TRANSACTIONS,
)
from serving import model
from serving.control import Control
from serving.decision_stage import DecisionStage
from serving.entity_cache import EntityCache, Writes
from serving.entity_stage import EntityStage
from serving.inflight import Message, Output, Payment, Record, Verdict
from serving.outcomes import Outcomes
from serving.stages import JOB
from serving.user_stage import UserStage


class _EntityShell(Stage):
    """A stage over the entities of one kind; `following` is the kind that the next stage is keyed by."""

    def __init__(self, kind: EntityKind, following: EntityKind) -> None:
        self.uid = kind
        self._kind = kind
        self._following = following

    def open(self, door: Door) -> None:
        self._metrics = door.metrics
        self._entities = EntityCache(door.read, door.settings.job.cached_entities)
        self._seen = (0, 0)
        self._start(door)

    def _start(self, door: Door) -> None:
        self._stage = EntityStage(self._kind, door.metrics.count, door.clock_us)

    def step(self, batch: Sequence[Message]) -> Sequence[Message]:  # type: ignore[override]  # never the first stage
        return self._counted(self._stage.step(batch, self._entities))

    def _counted(self, messages: Sequence[Message]) -> Sequence[Message]:
        hits, misses = self._entities.hits, self._entities.misses
        self._metrics.count(metrics.CACHE_HITS, by=hits - self._seen[0])
        self._metrics.count(metrics.CACHE_MISSES, by=misses - self._seen[1])
        self._seen = (hits, misses)
        return messages

    def route(self, message: Message) -> str:
        if isinstance(message, Payment):
            return message.entity_id(self._following) or message.user_id
        assert isinstance(message, Verdict)
        return message.merchant_id

    def take_writes(self) -> Writes:
        return self._entities.take_writes()


class _Door(_EntityShell):
    """The first stage: records in, users seen."""

    def _start(self, door: Door) -> None:
        self._user = UserStage(door.metrics.count, door.clock_us)

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        return self._counted(self._user.step(batch, self._entities))


class _Decide(_EntityShell):
    """The last stage: cards seen, then rules, model and policy."""

    def _start(self, door: Door) -> None:
        super()._start(door)
        registry = Path(door.settings.registry.path)

        def load(pointer: ModelPointer) -> model.Model:
            return model.load(pointer, registry)

        self._now_ms = door.now_ms
        self._decision = DecisionStage(door.metrics.count, door.clock_us)
        self._outcomes = Outcomes(door.read, door.settings.job.cached_entities)
        self._control = Control(load)
        self._controlled = Controlled(door, JOB, self._control.apply, self._control.online.take)

    def step(self, batch: Sequence[Message]) -> Sequence[Message]:  # type: ignore[override]  # never the first stage
        refused = self._take_control()
        messages = self._counted(self._stage.step(batch, self._entities))
        outputs = self._decision.step(messages, self._outcomes, self._control)
        now_ms = self._now_ms()
        payments = [message for message in messages if isinstance(message, Payment)]
        self._metrics.observe(metrics.LATENCY, *[now_ms - payment.time_ms for payment in payments])
        self._metrics.observe(metrics.ARRIVAL_LATENCY, *[now_ms - payment.arrival_ms for payment in payments])
        return [*refused, *outputs]

    def take_writes(self) -> Writes:
        return self._entities.take_writes() | self._outcomes.take_writes()

    def close(self) -> None:
        self._controlled.close()

    def _take_control(self) -> list[Output]:
        refused = self._controlled.take()
        current = self._control.model
        self._metrics.gauge(metrics.MODEL_VERSION, int(current.signature.version) if current else 0)
        shadow = self._control.shadow
        self._metrics.gauge(metrics.SHADOW_VERSION, int(shadow.label.rpartition("@")[2]) if shadow else 0)
        members = self._control.online.members(champion=current is not None)
        self._metrics.gauge(metrics.ONLINE_MODELS, len(members))
        self._metrics.gauge(metrics.ONLINE_WEIGHT, round(1000 * sum(member.weight for member in members)))
        self._metrics.gauge(metrics.RULES_VERSION, int(self._control.rules_version[:7], 16))
        return refused


SCORE_TRANSACTIONS = Job(
    JOB,
    (
        Flow(
            name="score",
            sources=(TRANSACTIONS, LABELS),
            stages=(
                _Door("user", following="merchant"),
                _EntityShell("merchant", following="device"),
                _EntityShell("device", following="card"),
                _Decide("card", following="card"),
            ),
            outputs=(DECISIONS, FEATURE_UPDATES, LATE_EVENTS, DEAD_LETTERS),
        ),
    ),
)

"""What the log must lead to: the scoring step over it in memory, and the stores' twins behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from schemas.control import ModelPointer
from schemas.events import DeadLetter, Decision, FeatureUpdate
from schemas.metrics import Metric
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, DECISIONS, FEATURE_UPDATES
from serving import model
from serving.control import Control
from serving.control_feed import read_control
from serving.entity_cache import EntityCache
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline
from serving.stored_catalogue import stored_catalogue
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_online import MemoryOnline

BATCH = 50
ALL = 10**6
TTL_S = 10**6
FEATURE_TOLERANCE = 1e-9
SCORE_TOLERANCE = 1e-6

# The bound of an event does not hold for what wraps one.
letter_decoder = msgspec.json.Decoder(DeadLetter)


def _count(metric: Metric, value: str = "", by: int = 1, /) -> None:
    """Counts nothing."""


class Reference:
    """Decisions by event id without repeats, how many repeats there are, letters by place, and both stores."""

    def __init__(self, settings: Settings, control: list[Record], inputs: list[Record]) -> None:
        self.decisions: dict[str, Decision] = {}
        self.repeats = 0
        self.letters: dict[str, DeadLetter] = {}
        self.entities: dict[str, set[str]] = {}
        self.state_keys: set[str] = set()
        self.online = MemoryOnline(stored_catalogue(), lambda: 0)
        self.history = MemoryHistory(TTL_S, lambda: 0)
        self._take(_outputs(inputs, _control(settings, control)))

    def _take(self, outputs: Iterator[tuple[str, bytes]]) -> None:
        for topic, value in outputs:
            if topic == DECISIONS.name:
                decision = msgspec.json.decode(value, type=Decision)
                if decision.repeat:
                    self.repeats += 1
                    continue
                self.decisions[decision.event_id] = decision
                self.online.write_decisions([decision])
                self.history.write_decisions([decision])
            elif topic == FEATURE_UPDATES.name:
                updates = msgspec.json.decode(value, type=FeatureUpdate).entities
                self.online.write(updates)
                for update in updates:
                    if update.values:
                        # What only labels named has state, and no features yet.
                        self.entities.setdefault(update.entity, set()).add(update.entity_id)
                    self.state_keys.update(update.state)
            elif topic == DEAD_LETTERS.name:
                letter = letter_decoder.decode(value)
                self.letters[letter.event_id] = letter


def _control(settings: Settings, records: list[Record]) -> Control:
    def load(pointer: ModelPointer) -> model.Model:
        return model.load(pointer, Path(settings.registry.path))

    control = Control(load)
    for record in records:
        control.apply(read_control(record))
    return control


def _outputs(inputs: list[Record], control: Control) -> Iterator[tuple[str, bytes]]:
    state: dict[str, bytes] = {}
    read: Callable[[str], bytes | None] = state.get
    entities, outcomes = EntityCache(read, ALL), Outcomes(read, ALL)
    pipeline = Pipeline(entities, outcomes, _count, lambda: 0)
    for start in range(0, len(inputs), BATCH):
        for output in pipeline.run(inputs[start : start + BATCH], control):
            yield output.topic, output.value
        for key, raw in (entities.take_writes() | outcomes.take_writes()).items():
            if raw is None:
                state.pop(key, None)
            else:
                state[key] = raw


def same(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same; they may have taken different times to make."""
    return (
        _plain(one) == _plain(other)
        and math.isclose(one.score, other.score, rel_tol=0, abs_tol=SCORE_TOLERANCE)
        and close(one.features, other.features)
    )


def close(one: list[float], other: list[float]) -> bool:
    """Whether two vectors are equal but for the last digits."""
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=FEATURE_TOLERANCE, abs_tol=FEATURE_TOLERANCE)
        for a, b in zip(one, other, strict=True)
    )


def _plain(decision: Decision) -> Decision:
    return msgspec.structs.replace(decision, timings_us={}, features=[], score=0.0)

"""All stages of a flow as one, for a job whose every key lies in one bucket: nothing has to travel between them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from jobs.runtime.stage import Door, Stage
from serving.entity_cache import Writes
from serving.inflight import Message, Record


class Fused(Stage):
    """The stages one after the other, in one operator and over one state; their state keys must differ."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self.uid = "+".join(stage.uid for stage in self._stages)
        self._opened: list[Stage] = []

    def open(self, door: Door) -> None:
        for stage in self._stages:
            stage.open(door)
            self._opened.append(stage)

    def step(self, batch: Sequence[Record] | Sequence[Message]) -> Sequence[Message]:
        first, *others = self._stages
        messages = first.step(batch)
        for stage in others:
            messages = stage.step(messages)
        return messages

    def take_writes(self) -> Writes:
        writes: Writes = {}
        for stage in self._stages:
            writes |= stage.take_writes()
        return writes

    def close(self) -> None:
        """Close what was opened, the last first, each even when another can not be closed."""
        with ExitStack() as closing:
            for stage in self._opened:
                closing.callback(stage.close)
            self._opened = []

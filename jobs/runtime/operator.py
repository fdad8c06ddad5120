"""The Flink operator around a stage: load state, call the step, save, emit. Kept too small to be wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig

from jobs.runtime.metrics import JobMetrics
from jobs.runtime.stage import Door, Stage
from schemas.metrics import BATCH_SIZE
from schemas.settings import Settings
from serving.inflight import Message, Output, Record, bucket, pack, unpack

# Longer than the longest window (30 days and the label delay): what is dropped could not change a feature.
STATE_TTL_DAYS = 40


class _StageOperator(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Keyed by bucket; the state of all the bucket's entities is one map from state key to bytes."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        self._stage = stage
        self._settings = settings

    def open(self, context: RuntimeContext) -> None:
        descriptor = MapStateDescriptor("state", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        descriptor.enable_time_to_live(
            StateTtlConfig.new_builder(Time.days(STATE_TTL_DAYS))
            .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
            .set_state_visibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
            .build()
        )
        self._state = context.get_map_state(descriptor)
        self._metrics = JobMetrics(context.get_metrics_group())
        self._stage.open(
            Door(
                read=self._state.get,
                metrics=self._metrics,
                settings=self._settings,
                clock_us=lambda: time.perf_counter_ns() // 1000,
                now_ms=lambda: time.time_ns() // 1_000_000,
            )
        )

    def close(self) -> None:
        self._stage.close()

    def _run(self, batch: list[Record] | list[Message]) -> list[Message]:
        messages = list(self._stage.step(batch))
        writes = self._stage.take_writes()
        puts = {key: value for key, value in writes.items() if value is not None}
        if puts:
            # One call into the JVM for the whole batch; one a key costs some 30 us each.
            self._state.put_all(puts)
        if len(puts) != len(writes):
            for key in writes.keys() - puts.keys():
                self._state.remove(key)
        self._metrics.observe(BATCH_SIZE, len(batch))
        self._metrics.flush()
        return messages

    def _send(self, messages: list[Message]) -> Iterator[Row]:
        """One row for each bucket that the next stage is to work on."""
        buckets = self._settings.job.buckets
        parts: dict[int, list[Message]] = {}
        for message in messages:
            target = 0 if isinstance(message, Output) else bucket(self._stage.route(message), buckets)
            parts.setdefault(target, []).append(message)
        for target, part in parts.items():
            yield Row(target, pack(part))


class _RecordOperator(_StageOperator):
    """Takes micro-batches of raw records; a record's topic comes as its number in `topics`."""

    def __init__(self, stage: Stage, settings: Settings, topics: list[str]) -> None:
        super().__init__(stage, settings)
        self._topics = topics

    def _records(self, row: Row) -> list[Record]:
        topics = self._topics
        return [Record(topics[number], *rest) for number, *rest in zip(*row[1:], strict=True)]


class FirstOperator(_RecordOperator):
    """Records in, packed messages out."""

    def process_element(self, row: Row, _: Any) -> Iterator[Row]:
        yield from self._send(self._run(self._records(row)))


class MiddleOperator(_StageOperator):
    """Takes and gives packed messages."""

    def process_element(self, row: Row, _: Any) -> Iterator[Row]:
        yield from self._send(self._run(unpack(row[1])))


class LastOperator(_StageOperator):
    """Gives finished records, all of a batch in one row."""

    def process_element(self, row: Row, _: Any) -> Iterator[Row]:
        outputs = self._run(unpack(row[1]))
        if outputs:
            yield Row([Row(o.topic, o.key, o.value) for o in outputs if isinstance(o, Output)])


class OnlyOperator(_RecordOperator):
    """Records in, finished records out: a job of one stage."""

    def process_element(self, row: Row, _: Any) -> Iterator[Row]:
        outputs = self._run(self._records(row))
        if outputs:
            yield Row([Row(o.topic, o.key, o.value) for o in outputs if isinstance(o, Output)])

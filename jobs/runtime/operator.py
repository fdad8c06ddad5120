"""The Flink operator around a stage: load state, call the step, save, emit. Kept too small to be wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

from pyflink.common import Row, Time, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, StateTtlConfig

from jobs.runtime import interpreter, priority
from jobs.runtime.metrics import JobMetrics
from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas.metrics import BATCH_SIZE
from schemas.settings import Settings
from serving.inflight import Message, Output, Record, bucket, pack, records, unpack

# Metrics go to Flink five times a second: each counter is a call into the JVM.
FLUSH_MS = 200
# What is worked on at once: small enough for the processor's caches, and for the next task to begin meanwhile.
PART = 256


class StageOperator(KeyedProcessFunction):  # type: ignore[misc]  # PyFlink has no types
    """Keyed by bucket; the state of all the bucket's entities is one map from state key to bytes.

    The first stage of a job is given `sources`, the topics that its records name by number, and takes columns of
    raw records; the last is given `outputs` and gives one row of finished records. Between stages travels one row
    a bucket: its key, of `keys`, and its packed messages; a stage takes what several rows brought.
    """

    def __init__(
        self,
        stage: Stage,
        settings: Settings,
        *,
        sources: list[str] | None,
        outputs: list[str] | None,
        keys: list[int],
        job: Job,
        flow: Flow,
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._sources = sources
        self._keys = keys
        self._state_days = job.state_days
        self._process_niceness, self._thread_niceness = job.niceness, flow.niceness
        self._topic_numbers = None if outputs is None else {t: b"%d" % number for number, t in enumerate(outputs)}

    def open(self, context: RuntimeContext) -> None:
        # Also by a job that stands back from nobody: the process may have run another before.
        priority.of_process(os.getpid(), self._process_niceness)
        priority.of_thread(self._thread_niceness)
        interpreter.prepare()
        descriptor = MapStateDescriptor("state", Types.STRING(), Types.PICKLED_BYTE_ARRAY())
        descriptor.enable_time_to_live(
            StateTtlConfig.new_builder(Time.days(self._state_days))
            .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
            .set_state_visibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
            # Expired state goes when RocksDB compacts. On the heap it stays until a restart: Flink's sweep there looks
            # through the whole map, copying it, with each batch (DECISIONS.md, 32). And PyFlink would build the default
            # of the other clean-up with a duration of the gateway's, and start a second JVM for it.
            .disable_cleanup_in_background()
            .cleanup_in_rocksdb_compact_filter(1000, Time.days(30))
            .build()
        )
        self._state = context.get_map_state(descriptor)
        self._metrics = JobMetrics(context.get_metrics_group())
        self._flush_waits = False
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

    def process_element(self, row: Row, context: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Work on one batch, in parts. A part's rows go out only when its state is saved."""
        if not self._flush_waits:
            self._flush_waits = True
            timers = context.timer_service()
            timers.register_processing_time_timer(timers.current_processing_time() + FLUSH_MS)
        if self._sources is None:
            batch: list[Record] | list[Message] = [message for packed in row[0] for message in unpack(packed)]
        else:
            batch = records(self._sources, *row)
        self._metrics.observe(BATCH_SIZE, len(batch))
        for start in range(0, len(batch), PART):
            yield from self._emit(self._stage.step(batch[start : start + PART]))
        self._sleep(context)

    def on_timer(self, timestamp: int, context: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Hand the metrics on, and wake the stage for what waits in this bucket."""
        self._flush_waits = False
        self._metrics.flush()
        wake_ms = self._stage.wake_ms()
        if wake_ms is not None and wake_ms <= timestamp:
            yield from self._emit(self._stage.wake())
            self._sleep(context)

    def _sleep(self, context: KeyedProcessFunction.Context) -> None:
        wake_ms = self._stage.wake_ms()
        if wake_ms is not None:
            context.timer_service().register_processing_time_timer(wake_ms)

    def _emit(self, made: Sequence[Message]) -> Iterator[Row]:
        """Rows of what the stage made, once its state is saved."""
        messages = list(made)
        self._save()
        if self._topic_numbers is None:
            yield from self._send(messages)
        elif messages:
            outputs = [message for message in messages if isinstance(message, Output)]
            numbers = self._topic_numbers
            yield Row([(numbers[output.topic], output.key, output.value) for output in outputs])

    def _save(self) -> None:
        writes = self._stage.take_writes()
        puts = {key: value for key, value in writes.items() if value is not None}
        if puts:
            # One call into the JVM for the whole batch; one a key costs some 30 us each.
            self._state.put_all(puts)
        if len(puts) != len(writes):
            for key in writes.keys() - puts.keys():
                self._state.remove(key)

    def _send(self, messages: list[Message]) -> Iterator[Row]:
        """One row for each bucket that the next stage is to work on."""
        buckets = self._settings.job.buckets
        parts: dict[int, list[Message]] = {}
        for message in messages:
            target = 0 if isinstance(message, Output) else bucket(self._stage.route(message), buckets)
            parts.setdefault(target, []).append(message)
        for target, part in parts.items():
            yield Row(self._keys[target], pack(part))

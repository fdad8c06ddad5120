"""The control topic as a stage sees it: all of it before the first batch, every change soon after it is made.

A consumer of its own instead of a broadcast stream: Flink does not order two inputs, so a broadcast could
not promise that the rules and the model are there before the first payment (DECISIONS.md, 5).
"""

from __future__ import annotations

import threading
from collections import deque

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from schemas import codec
from schemas.errors import PartFailedError
from schemas.events import ControlRecord
from schemas.topics import CONTROL
from serving.inflight import Record

START_TIMEOUT_S = 30.0
POLL_S = 0.25


class ControlFeed:
    """Reads the control topic in a thread of its own. `take` gives what has come since the last call.

    Raises PartFailedError from `take` when the thread died: a stage must not go on with rules that went stale.
    """

    def __init__(self, bootstrap: str) -> None:
        self._waiting: deque[Record] = deque()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._bootstrap = bootstrap
        self._thread = threading.Thread(target=self._run, name="control-feed", daemon=True)

    def start(self) -> None:
        """Read the topic to its present end; raises PartFailedError when the broker does not answer in 30 s."""
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S) or self._failure is not None:
            self._stop.set()
            raise PartFailedError(f"control topic at {self._bootstrap} can not be read: {self._failure or 'time-out'}")

    def take(self) -> list[Record]:
        """The control records that came since the last call, oldest first."""
        if self._failure is not None:
            raise PartFailedError(f"control topic at {self._bootstrap} can not be read: {self._failure}")
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # handed to the stage, which stops on it
            self._failure = error
            self._ready.set()

    def _read(self) -> None:
        # Offsets are never committed: every start reads the whole topic, which is compacted.
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": "sluice-control-feed", "enable.auto.commit": False}
        )
        try:
            partition = TopicPartition(CONTROL.name, 0, OFFSET_BEGINNING)
            _, end = consumer.get_watermark_offsets(partition, timeout=START_TIMEOUT_S)
            consumer.assign([partition])
            if end == 0:
                self._ready.set()
            while not self._stop.is_set():
                message = consumer.poll(POLL_S)
                if message is not None:
                    self._take_in(message)
                if not self._ready.is_set():
                    place = consumer.position([partition])[0].offset
                    if place >= end:
                        self._ready.set()
        finally:
            consumer.close()

    def _take_in(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            # The client mends what is not fatal by itself, and tells of it all the same.
            if error.fatal():
                raise KafkaException(error)
            return
        offset = message.offset()
        assert offset is not None
        record = Record(CONTROL.name, 0, offset, message.timestamp()[1], message.key(), message.value())
        self._waiting.append(record)


def read_control(record: Record) -> ControlRecord:
    """The control record of a broker record; a tombstone deletes what its key names.

    Raises EventError when the bytes are no control record.
    """
    if record.value is None:
        kind, _, name = (record.key or b"").decode(errors="replace").partition("/")
        deletion = {"event_id": f"tombstone-{record.offset}", "event_time_ms": record.arrival_ms}
        return codec.decode(ControlRecord, msgspec.json.encode(deletion | {"kind": kind, "name": name}))
    return codec.decode(ControlRecord, record.value)

"""The topics that steer a stage, as it sees them: all of them before the first batch, every change soon after.

A consumer of its own instead of a broadcast stream: Flink does not order two inputs, so a broadcast could
not promise that the rules and the model are there before the first payment (DECISIONS.md, 5).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from schemas import codec
from schemas.errors import PartFailedError
from schemas.events import ControlRecord
from schemas.topics import CONTROL, Topic
from serving.inflight import Record

START_TIMEOUT_S = 30.0
POLL_S = 0.25


class ControlFeed:
    """Reads `control` in a thread of its own, and other `topics` of one partition that are compacted like it. `take`
    gives what has come since the last call.

    Raises PartFailedError from `take` when the thread died: a stage must not go on with rules that went stale.
    """

    def __init__(self, bootstrap: str, topics: Sequence[Topic] = (CONTROL,)) -> None:
        self._topics = tuple(topic.name for topic in topics)
        self._waiting: deque[Record] = deque()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._bootstrap = bootstrap
        self._thread = threading.Thread(target=self._run, name="control-feed", daemon=True)

    def start(self) -> None:
        """Read the topics to their present ends; raises PartFailedError when the broker does not answer in 30 s."""
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S) or self._failure is not None:
            self._stop.set()
            raise PartFailedError(f"{self._what} can not be read: {self._failure or 'time-out'}")

    def take(self) -> list[Record]:
        """The records that came since the last call, those of a topic oldest first."""
        if self._failure is not None:
            raise PartFailedError(f"{self._what} can not be read: {self._failure}")
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def _what(self) -> str:
        return f"topic {' or '.join(self._topics)} at {self._bootstrap}"

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
            places = [TopicPartition(name, 0, OFFSET_BEGINNING) for name in self._topics]
            bounds = {place.topic: consumer.get_watermark_offsets(place, timeout=START_TIMEOUT_S) for place in places}
            ends = {name: end for name, (begin, end) in bounds.items() if end > begin}
            consumer.assign(places)
            while not self._stop.is_set():
                if not self._ready.is_set() and all(
                    place.offset >= ends[place.topic] for place in consumer.position(places) if place.topic in ends
                ):
                    self._ready.set()
                message = consumer.poll(POLL_S)
                if message is not None:
                    self._take_in(message)
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
        name, arrival_ms = message.topic() or "", message.timestamp()[1]
        self._waiting.append(Record(name, 0, offset, arrival_ms, message.key(), message.value()))


def read_control(record: Record) -> ControlRecord:
    """The control record of a broker record; a tombstone deletes what its key names.

    Raises EventError when the bytes are no control record.
    """
    if record.value is None:
        kind, _, name = (record.key or b"").decode(errors="replace").partition("/")
        deletion = {"event_id": f"tombstone-{record.offset}", "event_time_ms": record.arrival_ms, "payload": None}
        return codec.decode(ControlRecord, msgspec.json.encode(deletion | {"kind": kind, "name": name}))
    return codec.decode(ControlRecord, record.value)

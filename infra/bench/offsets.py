"""Where topics end, and what lies between two such ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

import msgspec
from confluent_kafka import Consumer, TopicPartition

from infra.bench import workload
from infra.topic_tail import ends
from schemas.errors import PartFailedError
from schemas.settings import Kafka

TIMEOUT_S = 15.0
POLL_S = 0.5
BATCH = 2000


class Answered(msgspec.Struct, frozen=True):
    """How many payments of a run have an answer, and how many answers came again."""

    distinct: int
    repeated: int


class Offsets:
    """A consumer that asks for ends and reads stretches; it belongs to no group. Raises PartFailedError throughout."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": "sluice-bench",
                # A fetch that waits at the end of one partition would hold up the next.
                "fetch.wait.max.ms": 20,
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    def ends(self, topic: str) -> list[int]:
        """The end offset of each partition."""
        return [place.offset for place in ends(self._consumer, self._kafka, topic)]

    def count(self, topic: str, run: str, starts: Sequence[int], ends: Sequence[int]) -> Answered:
        """Which answers to a run lie between two ends of a topic."""
        seen: set[int] = set()
        repeated = 0
        for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
            place = TopicPartition(topic, partition, start)
            self._consumer.assign([place])
            at, moved_s = start, time.monotonic()
            while at < end:
                # More than there is would be waited for.
                messages = self._consumer.consume(min(BATCH, end - at), POLL_S)
                if time.monotonic() - moved_s > TIMEOUT_S:
                    raise PartFailedError(
                        f"{topic} at {self._kafka.bootstrap} gives nothing to read; see `sluice status`"
                    )
                for message in messages:
                    if message.error() is not None or (message.offset() or 0) >= end:
                        continue
                    number = workload.answered(run, message.value())
                    if number is not None:
                        repeated += number in seen
                        seen.add(number)
                # Markers of transactions are no messages: the position, not the last message, tells how far it is.
                position = self._consumer.position([place])[0].offset
                if position > at:
                    at, moved_s = position, time.monotonic()
        return Answered(len(seen), repeated)

    def __enter__(self) -> Offsets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

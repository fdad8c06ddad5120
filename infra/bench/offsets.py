"""Where topics end, and what lies between two such ends."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.bench.workload import number_of
from schemas.errors import PartFailedError
from schemas.settings import Kafka

TIMEOUT_S = 15.0
BATCH = 2000


class Answered(msgspec.Struct, frozen=True):
    """How many payments of a run have an answer, and how many answers came again."""

    distinct: int
    repeated: int


class _Answer(msgspec.Struct):
    event_id: str


_decoder = msgspec.json.Decoder(_Answer)


class Offsets:
    """A consumer that asks for ends and reads stretches; it belongs to no group. Raises PartFailedError throughout."""

    def __init__(self, kafka: Kafka) -> None:
        self._bootstrap = kafka.bootstrap
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "group.id": "sluice-bench",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )

    def ends(self, topic: str) -> list[int]:
        """The end offset of each partition."""
        try:
            partitions = sorted(self._consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)
            return [
                self._consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=TIMEOUT_S)[1] for p in partitions
            ]
        except KafkaException as error:
            raise PartFailedError(
                f"{topic} at {self._bootstrap}: {error.args[0].str()}; see `sluice status`"
            ) from error

    def count(self, topic: str, run: str, starts: Sequence[int], ends: Sequence[int]) -> Answered:
        """Which answers to a run lie between two ends of a topic."""
        seen: set[int] = set()
        repeated = 0
        for partition, (start, end) in enumerate(zip(starts, ends, strict=True)):
            place = TopicPartition(topic, partition, start)
            self._consumer.assign([place])
            at = start
            while at < end:
                messages = self._consumer.consume(BATCH, TIMEOUT_S if at == start else 1.0)
                if not messages and at == start:
                    raise PartFailedError(f"{topic} at {self._bootstrap} gives nothing to read; see `sluice status`")
                for message in messages:
                    if message.error() is not None or (message.offset() or 0) >= end:
                        continue
                    number = number_of(run, _decoder.decode(message.value() or b"").event_id)
                    if number is not None:
                        repeated += number in seen
                        seen.add(number)
                # Markers of transactions are no messages: the position, not the last message, tells how far it is.
                at = max(at, self._consumer.position([place])[0].offset)
        return Answered(len(seen), repeated)

    def __enter__(self) -> Offsets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

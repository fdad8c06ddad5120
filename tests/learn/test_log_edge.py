"""The edge to the log stops by name where the client would go on without a word."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from online_learning import log_edge
from online_learning.log_edge import LabelledLog
from online_learning.merge import Position
from schemas.errors import LogGapError, PartFailedError
from schemas.settings import Settings

TOPIC = "labelled-examples"


class _Consumer:
    """A client of a topic that a test changes."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.committed = config["isolation.level"] == "read_committed"
        self.partitions = [0, 1]
        self.ends: dict[int, tuple[int, int]] = {0: (0, 9), 1: (0, 9)}
        self.error: KafkaError | None = None
        self.messages: list[Any] = []

    def list_topics(self, topic: str, **_: Any) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=dict.fromkeys(self.partitions))})

    def get_watermark_offsets(self, place: Any, **_: Any) -> tuple[int, int]:
        if self.error is not None:
            raise KafkaException(self.error)
        return self.ends[place.partition]

    def consume(self, _count: int, **_: Any) -> list[Any]:
        found, self.messages = self.messages, []
        return found

    def assign(self, _places: Any) -> None: ...

    def close(self) -> None: ...


class _Message:
    def __init__(
        self, offset: int = 0, error: KafkaError | None = None, *, partition: int = 0, stamp_ms: int = 5
    ) -> None:
        self._offset, self._error, self._partition, self._stamp_ms = offset, error, partition, stamp_ms

    def error(self) -> KafkaError | None:
        return self._error

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._stamp_ms

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return b"v"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> LabelledLog:
    monkeypatch.setattr(log_edge, "Consumer", _Consumer)
    monkeypatch.setattr(log_edge, "ASK_EVERY_S", 0.0)
    made = LabelledLog(Settings().kafka)
    made.start({0: Position(5, 1), 1: Position(0, 0)})
    return made


def _client(log: LabelledLog) -> Any:
    return log._consumer


def test_a_topic_that_ends_before_what_was_read_was_made_anew(log: LabelledLog) -> None:
    assert log.read() == []
    _client(log).ends[0] = (0, 4)
    with pytest.raises(LogGapError, match=r"partition 0 of labelled-examples at .* read to offset 5, and is at 4"):
        log.read()


def test_a_client_that_begins_anew_is_stopped_whatever_the_new_topic_holds(log: LabelledLog) -> None:
    _client(log).messages = [_Message(offset=0)]
    with pytest.raises(LogGapError, match=r"is at 0: it was made anew; .*--from-beginning"):
        log.read()


@pytest.mark.parametrize("code", [KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC])
def test_a_topic_that_is_gone_ends_the_reading(log: LabelledLog, code: int) -> None:
    _client(log).error = KafkaError(code)
    with pytest.raises(PartFailedError, match="end of labelled-examples at"):
        log.read()
    _client(log).error = None
    _client(log).messages = [_Message(error=KafkaError(code))]
    with pytest.raises(PartFailedError, match="reading labelled-examples at"):
        log.read()


def test_what_the_client_mends_by_itself_ends_nothing(log: LabelledLog) -> None:
    _client(log).error = KafkaError(KafkaError._TIMED_OUT)
    _client(log).messages = [_Message(error=KafkaError(KafkaError._TRANSPORT))]
    assert log.read() == []


def test_partitions_that_come_while_it_reads_end_the_reading(log: LabelledLog, monkeypatch: pytest.MonkeyPatch) -> None:
    _client(log).partitions = [0, 1, 2]
    assert log.read() == []
    monkeypatch.setattr(log_edge, "COUNT_EVERY_S", 0.0)
    with pytest.raises(PartFailedError, match=r"has 3 partitions now, and had 2; .*--from-beginning"):
        log.read()


def test_what_an_open_transaction_holds_is_read_at_its_place_in_the_order(log: LabelledLog) -> None:
    """Learned when it is committed it would come after what is later, and a replay would have another order."""
    client, now_ms = _client(log), int(time.time() * 1000)
    client.ends = {0: (0, 6), 1: (0, 1)}
    opened = _Message(offset=5, partition=0, stamp_ms=now_ms - 2_000)
    later = _Message(offset=0, partition=1, stamp_ms=now_ms - 1_000)
    if client.committed:
        # To such a reader the partition ends at its last stable offset.
        client.ends[0], client.messages = (0, 5), [later]
    else:
        client.messages = [later, opened]
    found = [record for _ in range(2) for record in log.read() or []]
    assert [record.partition for record in found] == [0, 1]

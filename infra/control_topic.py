"""The control topic's edge: what it says now, and how it is told something new."""

from __future__ import annotations

from infra import publish
from infra.topic_reader import read
from schemas.codec import decode, encode
from schemas.errors import PartFailedError
from schemas.events import ControlRecord
from schemas.settings import Kafka
from schemas.topics import CONTROL


def key(record: ControlRecord) -> str:
    """The record key, `kind/name`: the newest record of a key is in force."""
    return f"{record.kind}/{record.name}"


def current(kafka: Kafka) -> dict[str, ControlRecord]:
    """The newest record of each key, deleted ones left out. Raises OperatorError when the broker does not answer."""
    found: dict[str, ControlRecord] = {}
    for raw in read(kafka, CONTROL.name):
        record = decode(ControlRecord, raw.value)
        found.pop(key(record), None)
        if record.payload is not None:
            found[key(record)] = record
    return found


def send(kafka: Kafka, records: list[ControlRecord]) -> None:
    """Publish records in their order and wait until the broker has them.

    Raises OperatorError when the broker does not answer or does not confirm.
    """
    client = publish.connect(kafka)
    stream = (publish.Record(CONTROL.name, key(r).encode(), encode(r), r.event_time_ms) for r in records)
    summary = publish.publish(stream, client, publish.Pace())
    if summary.interrupted:
        raise PartFailedError("publishing to control was interrupted; run the command again")

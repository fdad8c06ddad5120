"""The control topic's edge: what it says now, and how it is told something new."""

from __future__ import annotations

from contextlib import suppress

from infra import publish
from infra.topic_reader import read
from schemas import control
from schemas.codec import decode, encode
from schemas.control import Policy
from schemas.control_records import of_type
from schemas.errors import EventError, InputError, PartFailedError
from schemas.events import ControlRecord
from schemas.settings import Kafka
from schemas.topics import CONTROL


def key(record: ControlRecord) -> str:
    """The record key, `kind/name`: the newest record of a key is in force."""
    return f"{record.kind}/{record.name}"


def current(kafka: Kafka) -> dict[str, ControlRecord]:
    """The newest record of each key that can be read, deleted ones left out.

    Raises OperatorError when the broker does not answer.
    """
    found: dict[str, ControlRecord] = {}
    for raw in read(kafka, CONTROL.name):
        if raw.value is None:
            found.pop((raw.key or b"").decode(errors="replace"), None)
            continue
        # What is no control record changes nothing in a job either: there it becomes a dead letter.
        with suppress(EventError):
            record = decode(ControlRecord, raw.value)
            found.pop(key(record), None)
            if not is_deletion(record):
                found[key(record)] = record
    return found


def policy(kafka: Kafka) -> Policy:
    """The decision policy in force. Raises OperatorError when the broker does not answer."""
    found = [payload for _, payload in of_type(current(kafka).values(), Policy)]
    return found[-1] if found else Policy()


def is_deletion(record: ControlRecord) -> bool:
    """Whether the record takes its key out of force."""
    return bytes(record.payload) == b"null"


def send(kafka: Kafka, records: list[ControlRecord]) -> None:
    """Publish records in their order and wait until the broker has them.

    Raises InputError for a record that no job would take, before any is published, OperatorError when the broker does
    not answer or does not confirm.
    """
    stream = [publish.Record(CONTROL.name, key(r).encode(), _readable(r), r.event_time_ms) for r in records]
    client = publish.connect(kafka)
    summary = publish.publish(stream, client, publish.Pace())
    if summary.interrupted:
        raise PartFailedError("publishing to control was interrupted; run the command again")


def _readable(record: ControlRecord) -> bytes:
    """The record as the jobs will read it, payload and all: making one in Python checks no bounds."""
    raw = encode(record)
    try:
        control.payload(decode(ControlRecord, raw))
    except EventError as error:
        raise InputError(
            f"{key(record)} can not be published, jobs would refuse it ({error}); give a value within the bounds"
        ) from error
    return raw

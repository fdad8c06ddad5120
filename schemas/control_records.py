"""Control records: made in one way, with ids that fit, and read back by the type of their payload."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from schemas.control import PAYLOADS, Audit, Payload, payload
from schemas.errors import InvalidError
from schemas.events import ID_CHARS, ControlKind, ControlRecord

_DIGITS: Final = 12
# A time in milliseconds has 13 digits until the year 2286.
_TIME_DIGITS: Final = 13
P = TypeVar("P", bound=Payload)


@dataclass(frozen=True)
class By:
    """Who changes something, when, and why."""

    author: str
    at_ms: int
    note: str = ""


def control_record(kind: ControlKind, name: str, said: Payload | None, by: By) -> ControlRecord:
    """The record that puts `said` in force under `kind/name`; None takes away what is there.

    The event id follows from the whole record, so another change at the same time has another. Name, author and note
    are not checked against their bounds: who publishes the record does that.
    """
    assert said is None or type(said) is PAYLOADS[kind], f"{kind} does not carry {type(said).__name__}"
    raw = msgspec.json.encode(said)
    whole = msgspec.json.encode((kind, name, by.at_ms, by.author, by.note, msgspec.Raw(raw)))
    words = f"{kind}-{name}"[: ID_CHARS - _TIME_DIGITS - _DIGITS - 2]
    return ControlRecord(
        event_id=f"{words}-{by.at_ms}-{_digest(whole)}",
        event_time_ms=by.at_ms,
        kind=kind,
        name=name,
        payload=msgspec.Raw(raw),
        author=by.author,
        note=by.note,
    )


def audit_record(action: str, about: str, detail: dict[str, str], by: By) -> ControlRecord:
    """The audit record of an action on `about`. It has a name of its own: on the topic none takes another's place."""
    return control_record("audit", _fitting(f"{action}-{about}-{by.at_ms}"), Audit(action, detail), by)


def usable(record: ControlRecord) -> Payload | None:
    """The payload; None for a deletion, and for one that can not be read: it is a dead letter to every job."""
    try:
        return payload(record)
    except InvalidError:
        return None


def of_type(records: Iterable[ControlRecord], wanted: type[P]) -> Iterator[tuple[ControlRecord, P]]:
    """The records that carry a usable payload of the type `wanted`, each with it, in their order."""
    for record in records:
        if PAYLOADS[record.kind] is wanted and isinstance(found := usable(record), wanted):
            yield record, found


def _fitting(name: str) -> str:
    """The name itself where it fits; else its beginning and a digest of all of it."""
    if len(name) <= ID_CHARS:
        return name
    return f"{name[: ID_CHARS - _DIGITS - 1]}-{_digest(name.encode())}"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:_DIGITS]

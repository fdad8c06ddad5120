"""Bytes to events and back: JSON on the wire, a version checked before the body is believed."""

from __future__ import annotations

import re
from functools import cache
from typing import TypeVar, cast

import msgspec

from schemas.errors import InvalidError, UnknownVersionError, UnreadableError
from schemas.events import Event

MAX_EVENT_BYTES = Event.MAX_BYTES

E = TypeVar("E", bound=Event)

_encoder = msgspec.json.Encoder()
# JSON allows them only behind a backslash. In an id they would make two ids look alike in logs and key listings.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f]")
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Envelope(msgspec.Struct):
    schema_version: int = 1


_envelope = msgspec.json.Decoder(_Envelope)


@cache
def _decoder(kind: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(kind)


@cache
def _id_fields(kind: type[Event]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_id"))


def encode(event: msgspec.Struct) -> bytes:
    """The event as JSON bytes."""
    return _encoder.encode(event)


def decode(kind: type[E], raw: bytes | None) -> E:
    """Read one event.

    Raises UnreadableError (no JSON, wrong shape or type, too large, empty), UnknownVersionError
    (a version newer than this release knows) or InvalidError (a value outside its contract).
    """
    if raw is None:
        raise UnreadableError(f"empty record where a {kind.__name__} was expected")
    if len(raw) > kind.MAX_BYTES:
        raise UnreadableError(f"{len(raw)} bytes, more than the {kind.MAX_BYTES} an event may have", "too_large")
    try:
        event = cast("E", _decoder(kind).decode(raw))
    except msgspec.ValidationError as error:
        _refuse_unknown_version(kind, raw)
        raise InvalidError(f"{kind.__name__}: {error}") from error
    except _UNREADABLE as error:
        raise UnreadableError(f"{kind.__name__}: {error}") from error
    if event.schema_version > kind.VERSION:
        raise UnknownVersionError(f"{kind.__name__} schema_version {event.schema_version}, newest known {kind.VERSION}")
    if b"\\" in raw:
        _refuse_control_characters(kind, event)
    return event


def _refuse_control_characters(kind: type[Event], event: Event) -> None:
    for name in _id_fields(kind):
        value = getattr(event, name)
        if value is not None and _CONTROL_CHARACTER.search(value):
            raise InvalidError(f"{kind.__name__}: control character in {name} {value!r}")


def _refuse_unknown_version(kind: type[Event], raw: bytes) -> None:
    """A newer version may well break the older shape: then its version is the reason, not the shape."""
    try:
        version = _envelope.decode(raw).schema_version
    except _UNREADABLE:
        return
    if version > kind.VERSION:
        raise UnknownVersionError(f"{kind.__name__} schema_version {version}, newest known {kind.VERSION}")

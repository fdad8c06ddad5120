"""A mapping says how the rows of a file become events: a small TOML file, read strictly.

event = "transaction"            # or "interaction", "label"
[time]                           # the event time
column = "TX_DATETIME"
zone = "UTC"                     # of times that carry none; unit = "s" for numbers, format = "%d.%m.%Y" for text
[id]                             # the event id: of columns, or of the row number
columns = ["TRANSACTION_ID"]
[fields.user_id]                 # one table a field of the event; "context.X" fills the context
column = "CUSTOMER_ID"
prefix = "c"
[[drop]]                         # rows to leave out, counted by reason
reason = "no customer"
column = "CUSTOMER_ID"
missing = true
[labels]                         # transactions only: a second event from the same row, later
column = "TX_FRAUD"
fraud = ["1"]
delay_days = 7
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from schemas.errors import MappingError
from schemas.events import Event, Interaction, Label, Transaction
from serving.history.label import Source

SHIPPED = Path(__file__).parent / "mappings"
KINDS: dict[str, type[Event]] = {"transaction": Transaction, "interaction": Interaction, "label": Label}

Column = Annotated[str, Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class Time(_Table, frozen=True):
    """Where the event time is. Text is ISO 8601 unless `format` (strptime) is given; numbers are counted in `unit`."""

    column: Column
    zone: str = "UTC"
    unit: Literal["s", "ms", "us"] | None = None
    format: str | None = None


class Id(_Table, frozen=True):
    """The event id: `prefix` and the `columns` joined by "-", or, without columns, the row number from 1."""

    columns: list[Column] = []
    prefix: str = ""


class Field(_Table, frozen=True):
    """One field: a constant `value`, or a `column`, with `prefix` in front of text or numbers times `scale`.

    `words` replaces values by others; `default` stands in where the column is empty.
    """

    column: Column | None = None
    value: str | float | bool | None = None
    prefix: str = ""
    scale: float | None = None
    words: dict[str, str] = {}
    default: str | float | bool | None = None


class Drop(_Table, frozen=True):
    """Rows to leave out: where the column is missing, begins so, is one of these, or is at most that number."""

    reason: Annotated[str, Meta(min_length=1)]
    column: Column
    missing: bool = False
    starts_with: str | None = None
    equals: list[str] = []
    at_most: float | None = None


class Labels(_Table, frozen=True):
    """A label for each transaction (`which` all) or for the frauds only, known `delay_days` after it."""

    column: Column
    fraud: list[str]
    delay_days: Annotated[float, Meta(ge=0, le=3650)]
    which: Literal["all", "fraud"] = "all"
    source: Source = "confirmed"


class Mapping(_Table, frozen=True):
    """The whole file. `delimiter` is that of a CSV file."""

    event: Literal["transaction", "interaction", "label"]
    time: Time
    fields: dict[str, Field]
    id: Id = msgspec.field(default_factory=Id)
    drop: list[Drop] = []
    labels: Labels | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","

    @property
    def kind(self) -> type[Event]:
        """The event type the rows become."""
        return KINDS[self.event]

    @property
    def columns(self) -> list[str]:
        """Every column of the file that is read, each once."""
        named = [self.time.column, *self.id.columns, *(drop.column for drop in self.drop)]
        named += [field.column for field in self.fields.values() if field.column is not None]
        if self.labels is not None:
            named.append(self.labels.column)
        return list(dict.fromkeys(named))


def shipped() -> list[str]:
    """The names of the mappings that come with Sluice."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name: str) -> Mapping:
    """The mapping of that shipped name or at that path.

    Raises MappingError that names the file and what is wrong in it.
    """
    path = SHIPPED / f"{name}.toml" if name in shipped() else Path(name)
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Mapping)
    except OSError as error:
        raise MappingError(f"mapping {name}: {error.strerror}; give a path or one of {', '.join(shipped())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise MappingError(f"mapping {path}: {error}") from error
    for fault in _faults(mapping):
        raise MappingError(f"mapping {path}: {fault}")
    return mapping


def _faults(mapping: Mapping) -> Iterator[str]:
    """What TOML and types can not see."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(mapping.kind)}
    own = {"event_id": "[id]", "event_time_ms": "[time]", "schema_version": "the release"}
    for name, field in mapping.fields.items():
        if name in own:
            yield f"fields.{name} is set by {own[name]}; remove it"
        elif name.partition(".")[0] not in fields or ("." in name and not name.startswith("context.")):
            yield f"fields.{name} is no field of {mapping.event}; it has {', '.join(f for f in fields if f not in own)}"
        if (field.column is None) == (field.value is None):
            yield f"fields.{name} needs either column or value"
    for name, known in fields.items():
        if known.required and name not in mapping.fields and name not in own:
            yield f"fields.{name} is missing; {mapping.event} needs it"
    for drop in mapping.drop:
        if not (drop.missing or drop.starts_with is not None or drop.equals or drop.at_most is not None):
            yield f"drop '{drop.reason}' has no condition; give missing, starts_with, equals or at_most"
    if mapping.labels is not None and mapping.kind is not Transaction:
        yield f"labels belong to transactions, not to {mapping.event}; remove [labels]"
    if mapping.time.unit is not None and mapping.time.format is not None:
        yield "time has unit (for numbers) and format (for text); keep one"
    try:
        ZoneInfo(mapping.time.zone)
    except (KeyError, ValueError, OSError):
        yield f"time.zone '{mapping.time.zone}' is no IANA zone; give one like Europe/London"

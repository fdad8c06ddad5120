"""A mapping says how the rows of a file become events: a small TOML file, read strictly.

event = "transaction"            # or "interaction", "item", "label"
first_of = ["TX_ID"]             # only the first row of each, by event time
[time]                           # the event time
column = "TX_DATETIME"           # or value = "2018-04-01", the same for every row
zone = "UTC"                     # of times that carry none; unit = "s" for numbers, format = "%d.%m.%Y" for text
[id]                             # the event id: of columns, or of the row number
columns = ["TRANSACTION_ID"]
[fields.user_id]                 # one table a field of the event; "context.X" fills the context
column = "CUSTOMER_ID"
prefix = "c"
[fields.categories]              # items only: a field that is a list
column = "GENRES"
split = " "
[[drop]]                         # rows to leave out, counted by reason
reason = "no customer"
column = "CUSTOMER_ID"
missing = true
[join]                           # columns of a file beside it, by a column that both have
file = "customers.csv"
on = "CUSTOMER_ID"
columns = ["AGE"]
[labels]                         # transactions only: a second event from the same row, later
column = "TX_FRAUD"
fraud = ["1"]
delay_days = 7
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from schemas.errors import MappingError
from schemas.events import Event, Interaction, Item, Label, Transaction
from serving.history.label import Source

SHIPPED = Path(__file__).parent / "mappings"
KINDS: dict[str, type[Event]] = {"transaction": Transaction, "interaction": Interaction, "item": Item, "label": Label}

Column = Annotated[str, Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class Time(_Table, frozen=True):
    """Where a time is: in a `column`, or the same `value` for every row.

    Text is ISO 8601 unless `format` (strptime) is given; numbers are counted in `unit`.
    """

    column: Column | None = None
    value: str | None = None
    zone: str = "UTC"
    unit: Literal["s", "ms", "us"] | None = None
    format: str | None = None


class Id(_Table, frozen=True):
    """The event id: `prefix` and the `columns` joined by "-", or, without columns, the row number from 1."""

    columns: list[Column] = []
    prefix: str = ""


class Field(_Table, frozen=True):
    """One field: a constant `value`, a `column`, several `columns`, or a `time` in ms.

    A column may have `prefix` in front of text or numbers times `scale`; `words` replaces values by others; `default`
    stands in where it is empty. Columns are joined by "-", or are the members of a field that is a list; of each only
    the first `cut` characters are taken. `split` makes the members of a list of one column. A time before 1970 counts
    as 1970, one that can not be read as missing.
    """

    column: Column | None = None
    columns: list[Column] = []
    value: str | float | bool | list[str] | None = None
    time: Time | None = None
    split: Annotated[str, Meta(min_length=1)] | None = None
    cut: Annotated[int, Meta(ge=1)] | None = None
    prefix: str = ""
    scale: float | None = None
    words: dict[str, str] = {}
    default: str | float | bool | None = None

    @property
    def read(self) -> list[str]:
        """The columns of the file that the field is made of."""
        named = [self.column, *self.columns, None if self.time is None else self.time.column]
        return [column for column in named if column is not None]


class Drop(_Table, frozen=True):
    """Rows to leave out: where the column is missing, begins so, is one of these, or is at most that number."""

    reason: Annotated[str, Meta(min_length=1)]
    column: Column
    missing: bool = False
    starts_with: str | None = None
    equals: list[str] = []
    at_most: float | None = None


class Join(_Table, frozen=True):
    """Columns of another `file` in the same folder: those of its first row that has the same text in column `on`."""

    file: Annotated[str, Meta(pattern=r"^[^/]+$")]
    on: Column
    columns: Annotated[list[Column], Meta(min_length=1)]

    def __post_init__(self) -> None:
        if len(set(self.read)) < len(self.read):
            raise ValueError(f"a column is named twice among {', '.join(self.read)}; keep it once")

    @property
    def read(self) -> list[str]:
        """The columns of the other file that are read."""
        return [self.on, *self.columns]


class Labels(_Table, frozen=True):
    """A label for each transaction (`which` all) or for the frauds only, known `delay_days` after it."""

    column: Column
    fraud: list[str]
    delay_days: Annotated[float, Meta(ge=0, le=3650)]
    which: Literal["all", "fraud"] = "all"
    source: Source = "confirmed"


class Mapping(_Table, frozen=True):
    """The whole file. `delimiter` is that of a CSV file; of rows alike in `first_of` only the first counts."""

    event: Literal["transaction", "interaction", "item", "label"]
    time: Time
    fields: dict[str, Field]
    id: Id = msgspec.field(default_factory=Id)
    drop: list[Drop] = []
    first_of: list[Column] = []
    join: Join | None = None
    labels: Labels | None = None
    delimiter: Annotated[str, Meta(min_length=1, max_length=1, pattern=r"[\x01-\x7f]")] = ","

    @property
    def kind(self) -> type[Event]:
        """The event type the rows become."""
        return KINDS[self.event]

    @property
    def columns(self) -> list[str]:
        """Every column of the file itself that is read, each once."""
        named = [] if self.time.column is None else [self.time.column]
        named += [*self.id.columns, *(drop.column for drop in self.drop), *self.first_of]
        for field in self.fields.values():
            named += field.read
        if self.labels is not None:
            named.append(self.labels.column)
        if self.join is not None:
            named = [self.join.on, *(column for column in named if column not in self.join.columns)]
        return list(dict.fromkeys(named))


@cache
def lists(kind: type[Event]) -> frozenset[str]:
    """The fields of an event type that are lists."""
    found = msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]  # an event is a struct
    return frozenset(field.name for field in found if isinstance(field.type, msgspec.inspect.ListType))


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
        sources = [field.column is not None, bool(field.columns), field.value is not None, field.time is not None]
        if sum(sources) != 1:
            yield f"fields.{name} needs either column or value, or columns, or time"
        if field.split is not None and (field.column is None or name not in lists(mapping.kind)):
            yield f"fields.{name} has split, which makes a list of one column; remove it"
    for name, known in fields.items():
        if known.required and name not in mapping.fields and name not in own:
            yield f"fields.{name} is missing; {mapping.event} needs it"
    for drop in mapping.drop:
        if not (drop.missing or drop.starts_with is not None or drop.equals or drop.at_most is not None):
            yield f"drop '{drop.reason}' has no condition; give missing, starts_with, equals or at_most"
    if mapping.labels is not None and mapping.kind is not Transaction:
        yield f"labels belong to transactions, not to {mapping.event}; remove [labels]"
    yield from _time_faults("time", mapping.time)
    for name, field in mapping.fields.items():
        if field.time is not None:
            yield from _time_faults(f"fields.{name}.time", field.time)


def _time_faults(name: str, time: Time) -> Iterator[str]:
    if (time.column is None) == (time.value is None):
        yield f"{name} needs either column or value"
    if time.unit is not None and time.format is not None:
        yield f"{name} has unit (for numbers) and format (for text); keep one"
    try:
        ZoneInfo(time.zone)
    except (KeyError, ValueError, OSError):
        yield f"{name}.zone '{time.zone}' is no IANA zone; give one like Europe/London"

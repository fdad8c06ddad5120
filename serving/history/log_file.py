"""Events in a file of their own, as the topics would hold them: JSON lines or Parquet, in the order given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pa_parquet

from schemas.codec import decode, encode
from schemas.errors import EventError, InputError, MappingError
from schemas.events import Event
from schemas.topics import INTERACTIONS, ITEMS, LABELS, TRANSACTIONS

SUFFIXES = (".jsonl", ".parquet")
BATCH_EVENTS = 50_000

_SCHEMA = pa.schema(
    [("topic", pa.string()), ("key", pa.string()), ("event_time_ms", pa.int64()), ("value", pa.binary())]
)
# What comes from outside; the other topics hold what jobs and people make of it.
INPUTS = (TRANSACTIONS, INTERACTIONS, ITEMS, LABELS)
_TOPIC_OF = {topic.schema: topic.name for topic in INPUTS}
_KEY_OF = {topic.schema: topic.key for topic in INPUTS}
_KIND_OF = {topic.name: topic.schema for topic in INPUTS}


class _Line(msgspec.Struct):
    topic: str
    event: msgspec.Raw


_line = msgspec.json.Decoder(_Line)


def write(path: Path, events: Iterable[Event]) -> int:
    """Write events to a new .jsonl or .parquet file and return how many; the file appears when it is whole.

    A line is {"topic": ..., "event": {...}}; a row has topic, key, event_time_ms and value (the JSON bytes).
    Raises InputError for another suffix or a folder that is not there.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: give a file name that ends in {' or '.join(SUFFIXES)}")
    part = path.with_name(path.name + ".part")
    try:
        with ExitStack() as undo:
            undo.callback(part.unlink, missing_ok=True)
            count = (_write_lines if path.suffix == ".jsonl" else _write_parquet)(part, events)
            part.replace(path)
            return count
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a file in a folder you can write to") from error


def read(path: Path) -> Iterator[Event]:
    """The events of a file that `write` made, in its order.

    Raises MappingError that names the file and the first line that is no event.
    """
    try:
        pairs = _read_lines(path) if path.suffix == ".jsonl" else _read_parquet(path)
        for number, (topic, raw) in enumerate(pairs, 1):
            if topic not in _KIND_OF:
                raise MappingError(
                    f"{path}: line {number}: topic {topic!r} is not one of {', '.join(_KIND_OF)}; take the line out"
                )
            try:
                yield decode(_KIND_OF[topic], raw)
            except EventError as error:
                raise MappingError(f"{path}: line {number}: {error}") from error
    except OSError as error:
        raise MappingError(
            f"{path}: {error.strerror or error}; give a file written by `sluice generate --out`"
        ) from error


def _write_lines(part: Path, events: Iterable[Event]) -> int:
    count = 0
    with part.open("wb") as file:
        for event in events:
            file.write(
                b'{"topic":' + json.dumps(_TOPIC_OF[type(event)]).encode() + b',"event":' + encode(event) + b"}\n"
            )
            count += 1
    return count


def _write_parquet(part: Path, events: Iterable[Event]) -> int:
    count = 0
    source = iter(events)
    with pa_parquet.ParquetWriter(part, _SCHEMA, compression="zstd") as file:
        while batch := list(islice(source, BATCH_EVENTS)):
            columns: dict[str, list[Any]] = {
                "topic": [_TOPIC_OF[type(event)] for event in batch],
                "key": [getattr(event, _KEY_OF[type(event)], None) for event in batch],
                "event_time_ms": [event.event_time_ms for event in batch],
                "value": [encode(event) for event in batch],
            }
            file.write_table(pa.table(columns, schema=_SCHEMA))
            count += len(batch)
    return count


def _read_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            try:
                line = _line.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise MappingError(f"{path}: line {number}: {error}") from error
            yield line.topic, bytes(line.event)


def _read_parquet(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with pa_parquet.ParquetFile(path) as file:
            if not {"topic", "value"} <= set(file.schema_arrow.names):
                raise MappingError(f"{path}: no columns topic and value; give a --mapping for other files")
            for batch in file.iter_batches(BATCH_EVENTS, columns=["topic", "value"]):
                names, values = batch["topic"].cast(pa.string()), batch["value"].cast(pa.binary())
                yield from zip(names.to_pylist(), values.to_pylist(), strict=True)
    except pa.ArrowException as error:
        raise MappingError(f"{path}: {' '.join(str(error).split())}") from error

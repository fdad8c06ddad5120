"""Columns of a file become the fields of events, a batch at a time."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import MappingError
from schemas.events import Event
from schemas.optional_number import optional_number
from serving.history import times
from serving.history.mapping import Drop, Field, Mapping, lists


@cache
def _texts(kind: type[Event]) -> frozenset[str]:
    """The fields of an event type that hold text; numbers of a file become text in them and nowhere else."""
    found = set()
    for field in msgspec.inspect.type_info(kind).fields:  # type: ignore[attr-defined]  # an event is a struct
        options = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        if any(isinstance(option, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for option in options):
            found.add(field.name)
    return frozenset(found)


def rows(batch: pa.Table, mapping: Mapping, numbers: list[int], time_ms: list[int]) -> list[dict[str, Any]]:
    """One dict a row, with the fields that the row has; wrong types are left for the event type to refuse."""
    columns: dict[str, list[Any]] = {"event_id": _ids(batch, mapping, numbers), "event_time_ms": time_ms}
    context: dict[str, list[Any]] = {}
    for name, field in mapping.fields.items():
        if name.startswith("context."):
            context[name.removeprefix("context.")] = _values(batch, field, as_text=True)
        elif name in lists(mapping.kind):
            columns[name] = _lists(batch, field)
        else:
            columns[name] = _values(batch, field, as_text=name in _texts(mapping.kind))
    if context:
        columns["context"] = [_present(context, row) for row in zip(*context.values(), strict=True)]
    return [_present(columns, row) for row in zip(*columns.values(), strict=True)]


def text(rows: pa.Table, name: str) -> pa.ChunkedArray:
    """The column as text, missing cells stay missing; a whole number reads the same with or without a fraction.

    Raises MappingError that names a column which is no text in any form.
    """
    column = rows[name]
    if pa.types.is_floating(column.type):
        column = pa.chunked_array(
            [pa.array([None if x is None or math.isnan(x) else f"{x:.15g}" for x in column.to_pylist()], pa.string())]
        )
    try:
        return column.cast(pa.string())
    except pa.ArrowException as error:
        said = " ".join(str(error).split())
        raise MappingError(f"column {name} holds {column.type} that is no text: {said}; map another column") from error


def matches(rows: pa.Table, drop: Drop) -> pa.ChunkedArray:
    """True where the rule says that the row is left out."""
    column = rows[drop.column]
    gone = pc.is_null(column, nan_is_null=True) if drop.missing else pc.and_(pc.is_null(column), False)
    words = text(rows, drop.column)
    if drop.starts_with is not None:
        gone = pc.or_(gone, pc.fill_null(pc.starts_with(words, drop.starts_with), False))
    if drop.equals:
        gone = pc.or_(gone, pc.is_in(words, pa.array(drop.equals)))
    if drop.at_most is not None:
        small = [
            (number := optional_number(cell)) is not None and number <= drop.at_most for cell in column.to_pylist()
        ]
        gone = pc.or_(gone, pa.chunked_array([pa.array(small, pa.bool_())]))
    return gone


def _present(columns: dict[str, list[Any]], row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(columns, row, strict=True) if value is not None}


def _ids(batch: pa.Table, mapping: Mapping, numbers: list[int]) -> list[str | None]:
    if not mapping.id.columns:
        return [f"{mapping.id.prefix}{number}" for number in numbers]
    parts = [text(batch, column) for column in mapping.id.columns]
    joined: list[str | None] = pc.binary_join_element_wise(*parts, "-").to_pylist()
    return [None if value is None else mapping.id.prefix + value for value in joined]


def _lists(batch: pa.Table, field: Field) -> list[Any]:
    """A list a row; missing cells are no members."""
    if field.value is not None:
        return [field.value] * batch.num_rows
    if field.columns:
        members = [_cut(text(batch, column), field.cut).to_pylist() for column in field.columns]
        return [[member for member in row if member is not None] for row in zip(*members, strict=True)]
    cells = _values(batch, field, as_text=True)
    return [[] if cell is None else [cell] if field.split is None else cell.split(field.split) for cell in cells]


def _cut(column: pa.ChunkedArray, length: int | None) -> pa.ChunkedArray:
    return column if length is None else pc.utf8_slice_codeunits(column, 0, length)


def _values(batch: pa.Table, field: Field, *, as_text: bool) -> list[Any]:
    if field.time is not None:
        instants = times.of_rows(batch, field.time).tolist()
        return [None if instant == times.UNREADABLE else max(0, instant) for instant in instants]
    if field.columns:
        parts = [_cut(text(batch, column), field.cut) for column in field.columns]
        joined: list[Any] = pc.binary_join_element_wise(*parts, "-").to_pylist()
        return [None if value is None else field.prefix + value for value in joined]
    if field.column is None:
        return [field.value] * batch.num_rows
    column = batch[field.column]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    values: list[Any] = (text(batch, field.column) if as_text or field.words or field.prefix else column).to_pylist()
    if field.cut is not None:
        values = [value[: field.cut] if isinstance(value, str) else value for value in values]
    if field.words:
        values = [field.words.get(value, value) for value in values]
    if field.scale is not None:
        scale = field.scale
        values = [value if (number := optional_number(value)) is None else number * scale for value in values]
    if field.prefix:
        values = [None if value is None else field.prefix + value for value in values]
    if field.default is not None:
        values = [field.default if value is None else value for value in values]
    return values

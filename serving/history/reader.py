"""Rows of a file become events, in order of event time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import MappingError
from schemas.events import Event, Label, Transaction
from schemas.units import DAY_MS
from serving.history import fields, table, times
from serving.history.label import label_of
from serving.history.mapping import Join, Labels, Mapping

BATCH_ROWS = 20_000
ROW = "#row"
REPEATED = "a later row of the same"

WhichLabels = Literal["mapped", "all", "fraud", "none"]


def events(
    file: Path,
    mapping: Mapping,
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
    which_labels: WhichLabels = "mapped",
    skip_bad: bool = False,
    left_out: Counter[str] | None = None,
) -> Iterator[Event]:
    """The events of a file in order of event time; rows of the same time keep the order of the file.

    `since_ms` (inclusive) and `until_ms` (exclusive) bound the event time of each event by itself, so a label inside
    the bounds comes even if its transaction lies before them. `which_labels` overrides the mapping's choice.
    `left_out` counts dropped rows by the reason of the mapping, later rows of one `first_of`, and, with `skip_bad`, bad
    ones as "bad row".
    Raises MappingError that names file, row (from 1, without a header) and field of the first bad row.
    """
    counts = Counter[str]() if left_out is None else left_out
    labels = _choice(mapping, which_labels)
    delay_ms = round(labels.delay_days * DAY_MS) if labels else 0
    rows = table.read(file, mapping.columns, mapping.delimiter)
    if mapping.join is not None:
        rows = _join(rows, table.read(file.with_name(mapping.join.file), mapping.join.read), mapping.join)
    rows = rows.append_column(ROW, pa.array(np.arange(1, rows.num_rows + 1)))
    rows = _drop(rows, mapping, counts)
    time_ms = times.of_rows(rows, mapping.time)
    number = rows[ROW].to_numpy()

    unreadable = np.flatnonzero(time_ms == times.UNREADABLE)
    if len(unreadable) and not skip_bad:
        row = int(unreadable[0])
        column = mapping.time.column
        cell = mapping.time.value if column is None else rows[column][row].as_py()
        raise MappingError(
            f"{file}: row {number[row]}: {column or 'time'}: {cell!r} is no time; see [time] of the mapping"
        )
    counts["bad row"] += len(unreadable)
    wanted = time_ms != times.UNREADABLE
    if since_ms is not None:
        wanted &= time_ms >= since_ms - delay_ms
    if until_ms is not None:
        wanted &= time_ms < until_ms
    chosen = np.flatnonzero(wanted)
    order = chosen[np.argsort(time_ms[chosen], kind="stable")]
    if mapping.first_of:
        first = _first(rows, mapping.first_of, order)
        counts[REPEATED] += len(order) - len(first)
        order = first

    low = -1 if since_ms is None else since_ms
    known: deque[Label] = deque()
    converted = _convert(
        rows, time_ms, order, file=file, mapping=mapping, labels=labels, skip_bad=skip_bad, counts=counts
    )
    for event, truth in converted:
        while known and known[0].event_time_ms <= event.event_time_ms:
            yield known.popleft()
        if event.event_time_ms >= low:
            yield event
        if labels and isinstance(event, Transaction) and (labels.which == "all" or truth in labels.fraud):
            known_ms = event.event_time_ms + delay_ms
            label = label_of(event, known_ms=known_ms, is_fraud=truth in labels.fraud, source=labels.source)
            if label.event_time_ms >= low and (until_ms is None or label.event_time_ms < until_ms):
                known.append(label)
    yield from known


def _choice(mapping: Mapping, which: WhichLabels) -> Labels | None:
    if which == "mapped":
        return mapping.labels
    if which == "none":
        return None
    if mapping.labels is None:
        raise MappingError(f"labels '{which}' are asked for, but the mapping has no [labels]")
    return msgspec.structs.replace(mapping.labels, which=which)


def _first(rows: pa.Table, columns: list[str], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the rows in that order, those whose values in the columns were not there before."""
    codes = [rows[column].combine_chunks().dictionary_encode(null_encoding="encode").indices for column in columns]
    keys = np.stack([code.to_numpy(zero_copy_only=False)[order] for code in codes], axis=1)
    _, found = np.unique(keys, axis=0, return_index=True)
    return order[np.sort(found)]


def _join(rows: pa.Table, other: pa.Table, join: Join) -> pa.Table:
    """The rows with the columns of the other table; missing where it has no such row."""
    places = pc.index_in(fields.text(rows, join.on), value_set=fields.text(other, join.on).combine_chunks())
    for column in join.columns:
        rows = rows.append_column(column, other[column].take(places))
    return rows


def _drop(rows: pa.Table, mapping: Mapping, counts: Counter[str]) -> pa.Table:
    for drop in mapping.drop:
        gone = fields.matches(rows, drop)
        counts[drop.reason] += int(pc.sum(gone).as_py() or 0)
        rows = rows.filter(pc.invert(gone))
    return rows


def _convert(
    rows: pa.Table,
    time_ms: Any,
    order: Any,
    *,
    file: Path,
    mapping: Mapping,
    labels: Labels | None,
    skip_bad: bool,
    counts: Counter[str],
) -> Iterator[tuple[Event, str | None]]:
    """Each event with the text of its row's label column."""
    kind = mapping.kind
    in_order = bool(np.all(np.diff(order) == 1))
    for start in range(0, len(order), BATCH_ROWS):
        part = order[start : start + BATCH_ROWS]
        batch = rows.slice(int(part[0]), len(part)) if in_order else rows.take(pa.array(part))
        truths = fields.text(batch, labels.column).to_pylist() if labels else [None] * len(part)
        numbers = batch[ROW].to_pylist()
        built = fields.rows(batch, mapping, numbers, time_ms[part].tolist())
        for row, truth, number in zip(built, truths, numbers, strict=True):
            try:
                if labels and truth is None:
                    raise MappingError(f"{labels.column} is missing")
                # Text of a CSV cell becomes the field's type here: that is what `strict=False` allows.
                yield msgspec.convert(row, kind, strict=False), truth
            except (msgspec.ValidationError, MappingError) as error:
                if not skip_bad:
                    raise MappingError(f"{file}: row {number}: {error}; mend it or skip bad rows") from error
                counts["bad row"] += 1

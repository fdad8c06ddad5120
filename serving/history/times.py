"""Event times of a column in milliseconds since the epoch, whatever form they have in the file."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serving.history.mapping import Time

UNREADABLE = -(2**62)
_MS_OF_UNIT = {"s": 1000.0, "ms": 1.0, "us": 0.001}


def of_rows(rows: pa.Table, time: Time) -> NDArray[np.int64]:
    """The time of each row, of its column or the constant; UNREADABLE where there is none."""
    if time.column is not None:
        return milliseconds(rows[time.column], time)
    one = milliseconds(pa.chunked_array([pa.array([time.value])]), time)
    return np.repeat(one, rows.num_rows)


def milliseconds(column: pa.ChunkedArray, time: Time) -> NDArray[np.int64]:
    """One time a row; UNREADABLE where the cell is missing or can not be read as a time.

    A local time that the clocks skip or repeat is taken as the earlier one.
    """
    kind = column.type
    if pa.types.is_date(kind):
        column, kind = column.cast(pa.timestamp("ms")), pa.timestamp("ms")
    if pa.types.is_timestamp(kind):
        return _instants(column, time.zone)
    if time.format is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _instants(pc.strptime(column, format=time.format, unit="ms", error_is_null=True), time.zone)
    read = _iso(ZoneInfo(time.zone)) if time.unit is None else _number(_MS_OF_UNIT[time.unit])
    return np.fromiter((read(cell) for cell in column.to_pylist()), dtype=np.int64, count=len(column))


def _instants(column: pa.ChunkedArray, zone: str) -> NDArray[np.int64]:
    if column.type.tz is None and zone != "UTC":
        column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
    values = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    filled: NDArray[np.int64] = pc.fill_null(values, UNREADABLE).to_numpy()
    return filled


def _iso(zone: ZoneInfo) -> Any:
    def read(cell: object) -> int:
        if not isinstance(cell, str):
            return UNREADABLE
        try:
            moment = datetime.fromisoformat(cell.strip())
        except ValueError:
            return UNREADABLE
        return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)

    return read


def _number(factor: float) -> Any:
    def read(cell: Any) -> int:
        try:
            return round(float(cell) * factor)
        except (TypeError, ValueError, OverflowError):
            return UNREADABLE

    return read

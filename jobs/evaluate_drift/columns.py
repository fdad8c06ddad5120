"""Columns of a data set's file, by name, as numbers; what is no such file is refused by its name and its column's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from jobs.evaluate_drift.watched import Floats, Times
from schemas.errors import InputError


class Columns:
    """The table of one file of the data set `of`. Raises InputError where there is none that can be read."""

    def __init__(self, file: Path, of: str) -> None:
        self._file, self._of = file, of
        self._table = _table(file, of)
        if not self._table.num_rows:
            raise InputError(f"{file}: no rows; give the folder of {of}")

    @property
    def names(self) -> list[str]:
        """The names of all columns, in their order."""
        return list(self._table.column_names)

    def numbers(self, name: str, *, whole: bool = False) -> Floats:
        """A column of numbers, what is missing as nan. Raises InputError for one that is not there or holds others.

        Where it has to be `whole`, what is missing is refused too.
        """
        numbers: Floats = self._as(
            name, "numbers", lambda values: _present(values.astype(np.float64), np.isnan if whole else None)
        )
        return numbers

    def times(self, name: str) -> Times:
        """A column of times as milliseconds since 1970. Raises InputError like `numbers`, and where one is missing."""
        times: Times = self._as(
            name, "times", lambda values: _present(values.astype("datetime64[ms]"), np.isnat)
        ).astype(np.int64)
        return times

    def _as(self, name: str, what: str, made: Callable[[Any], Any]) -> Any:
        if name not in self.names:
            raise InputError(
                f"{self._file}: no column {name}, it has {', '.join(self.names)}; give the folder of {self._of}"
            )
        try:
            return made(self._table.column(name).to_numpy())
        except (ValueError, TypeError, pa.ArrowException) as error:
            said = " ".join(str(error).split())
            raise InputError(
                f"{self._file}: the column {name} does not hold {what} alone ({said}); give the folder of {self._of}"
            ) from error


def _table(file: Path, of: str) -> pa.Table:
    if not file.exists():
        raise InputError(f"{file} is not there; give the folder of {of}")
    try:
        return parquet.read_table(file) if file.suffix == ".parquet" else csv.read_csv(file)
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{file} can not be read ({said}); give the folder of {of}") from error


def _present(values: Any, missing: Callable[[Any], Any] | None) -> Any:
    if missing is not None and missing(values).any():
        raise ValueError("some are missing")
    return values

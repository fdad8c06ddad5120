"""The data sets that learners are measured on, as streams in order of time."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from online_learning.prequential import Asked, Goal
from schemas.errors import InputError
from schemas.units import DAY_MS, MINUTE_MS

HALF_HOUR_MS = 30 * MINUTE_MS
NAMES = ("elec2", "weather-nebraska", "drift-synthetic-a", "fraud-handbook", "movielens-100k")
# River's copy of movielens-100k, in the folder where River keeps it: the same ratings, but ratings of one second in
# the order of another sort (NOTES.md).
RIVER_RATINGS = "ml_100k.csv"

Row = dict[str, Any]
Stream = list[Asked[Row]]


@dataclass(frozen=True)
class DataSet:
    """A stream, and what its features are called. Its labels are known at once."""

    name: str
    goal: Goal
    features: tuple[str, ...]
    stream: Stream


@dataclass(frozen=True)
class Table:
    """A compressed CSV file of numbers with two classes: rows come `step_ms` apart."""

    file: str
    label: str
    positive: str
    negative: str
    step_ms: int = 1
    segment: str = ""


ELEC2 = Table("elec2.csv.gz", "class", "UP", "DOWN", HALF_HOUR_MS, segment="day")
WEATHER = Table("weather.csv.gz", "target", "1", "0", DAY_MS)


def kind(folder: Path) -> Literal["elec2", "weather-nebraska", "drift-synthetic-a", "fraud-handbook", "movielens-100k"]:
    """Which data set a folder holds, known by its files. Raises InputError for another."""
    if (folder / ELEC2.file).exists():
        return "elec2"
    if (folder / WEATHER.file).exists():
        return "weather-nebraska"
    if (folder / "sea50k.csv.gz").exists():
        return "drift-synthetic-a"
    if (folder / "transactions.parquet").exists():
        return "fraud-handbook"
    if (folder / "ratings.csv.gz").exists() or (folder / RIVER_RATINGS).exists():
        return "movielens-100k"
    raise InputError(f"{folder}: no known data set; give the folder of {', '.join(NAMES)}")


def classes(name: str, file: Path, table: Table, limit: int | None = None) -> DataSet:
    """The first `limit` rows of a table. Raises InputError that names file and row."""
    stream: Stream = []
    for number, row in enumerate(_rows(name, file, ",")):
        if number == limit:
            break
        try:
            label = {table.positive: 1.0, table.negative: 0.0}[row.pop(table.label)]
            x = {key: float(value) for key, value in row.items()}
            segment = f"{table.segment} {x[table.segment]:g}" if table.segment else ""
        except KeyError as error:
            raise _refused(name, file, number, f"no column or class {error}") from error
        except ValueError as error:
            raise _refused(name, file, number, error) from error
        time_ms = number * table.step_ms
        stream.append(Asked(x, label, time_ms, time_ms, segment))
    features = tuple(stream[0].x) if stream else ()
    return DataSet(name, "classification", features, stream)


def ratings(folder: Path, limit: int | None = None) -> DataSet:
    """The ratings of movielens-100k, asked in the order of the file. Raises InputError that names file and row."""
    own = folder / "ratings.csv.gz"
    file, keys, delimiter, unit_ms = (
        (own, ("user_id", "item_id"), ",", 1000.0)
        if own.exists()
        else (folder / RIVER_RATINGS, ("user", "item"), "\t", 1e-6)
    )
    stream: Stream = []
    for number, row in enumerate(_rows("movielens-100k", file, delimiter)):
        if number == limit:
            break
        try:
            time_ms = round(int(row["timestamp"]) * unit_ms)
            x: Row = {"user": row[keys[0]], "item": row[keys[1]]}
            stream.append(Asked(x, float(row["rating"]), time_ms, time_ms))
        except KeyError as error:
            raise _refused("movielens-100k", file, number, f"no column {error}") from error
        except ValueError as error:
            raise _refused("movielens-100k", file, number, error) from error
    return DataSet("movielens-100k", "regression", ("user", "item"), stream)


def _rows(name: str, file: Path, delimiter: str) -> Iterator[dict[str, str]]:
    """The rows as they come, each as wide as the first line. Raises InputError that names the file, and the row."""
    try:
        with file.open("rb") as raw, gzip.open(raw) if file.suffix == ".gz" else raw as held:
            rows = csv.DictReader(io.TextIOWrapper(held, encoding="utf-8", newline=""), delimiter=delimiter)
            for number, row in enumerate(rows):
                # What is beyond the first line's columns stands under None, what is missing is None.
                if None in row or None in row.values():
                    raise _refused(
                        name, file, number, f"not the {len(rows.fieldnames or ())} columns of the first line"
                    )
                yield row
    # A file that is cut, or no gzip file, or no text, is found out on the way.
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{file}: {why}; give the file of {name} as it is") from error


def _refused(name: str, file: Path, number: int, why: object) -> InputError:
    return InputError(f"{file} row {number + 1}: {why}; give the file of {name} as it is")

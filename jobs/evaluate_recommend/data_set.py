"""The data sets that protocols are defined on, as the events that the topics would hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from schemas.errors import InputError
from schemas.events import Interaction, Item


@dataclass(frozen=True)
class DataSet:
    """A catalogue, and what was done with it in order of time; `again` = people come back to the same items."""

    name: str
    items: list[Item]
    interactions: list[Interaction]
    again: bool


def read(folder: Path) -> DataSet:
    """The data set of a folder, known by its files.

    Raises InputError for a folder that holds none of the known ones, or files that can not be read.
    """
    for file, reader in _READERS.items():
        if (folder / file).exists():
            try:
                return reader(folder)
            except (pa.ArrowException, KeyError, ValueError) as error:
                raise InputError(f"{folder / file}: {' '.join(str(error).split())}") from error
    raise InputError(f"{folder}: no {' and no '.join(_READERS)}; give the folder of movielens-100k or online-retail")


def _movielens(folder: Path) -> DataSet:
    ratings = pa_csv.read_csv(folder / "ratings.csv.gz").to_pylist()
    users = {row["user_id"]: row for row in pa_csv.read_csv(folder / "users.csv.gz").to_pylist()}
    first_ms: dict[int, int] = {}
    for row in ratings:
        first_ms.setdefault(row["item_id"], row["timestamp"] * 1000)
    items = [
        Item(
            event_id=f"item-{row['item_id']}",
            event_time_ms=first_ms.get(row["item_id"], 0),
            item_id=str(row["item_id"]),
            title=row["movie_title"] or "",
            categories=(row["class"] or "").split(),
            created_ms=_year_ms(row["release_year"]),
        )
        for row in pa_csv.read_csv(folder / "items.csv.gz").to_pylist()
    ]
    interactions = [
        Interaction(
            event_id=f"{row['user_id']}-{row['item_id']}-{row['timestamp']}",
            event_time_ms=row["timestamp"] * 1000,
            user_id=str(row["user_id"]),
            item_id=str(row["item_id"]),
            kind="rating",
            value=float(row["rating"]),
            context={"segment": f"{users[row['user_id']]['gender']}-{users[row['user_id']]['occupation']}"},
        )
        for row in ratings
    ]
    return DataSet("movielens-100k", items, interactions, again=False)


def _year_ms(year: object) -> int:
    """The first of January; films of before 1970, and without a year, count as of 1970."""
    if not str(year).isdigit() or int(str(year)) < 1970:
        return 0
    return round(datetime(int(str(year)), 1, 1, tzinfo=UTC).timestamp() * 1000)


def _retail(folder: Path) -> DataSet:
    table = pa_parquet.read_table(folder / "lines.parquet")
    items: dict[str, Item] = {}
    interactions = []
    for number, row in enumerate(table.to_pylist()):
        code = row["StockCode"]
        # Cancelled lines and lines without a customer are nobody's purchase.
        if row["CustomerID"] is None or row["Quantity"] <= 0 or not code:
            continue
        time_ms = round(row["InvoiceDate"].replace(tzinfo=UTC).timestamp() * 1000)
        if code not in items:
            items[code] = Item(
                event_id=f"item-{code}",
                event_time_ms=time_ms,
                item_id=code,
                title=(row["Description"] or "").strip()[:300],
                price=max(float(row["UnitPrice"]), 0.0),
                created_ms=time_ms,
            )
        interactions.append(
            Interaction(
                event_id=f"{row['InvoiceNo']}-{number}",
                event_time_ms=time_ms,
                user_id=str(row["CustomerID"]),
                item_id=code,
                kind="purchase",
                value=float(row["UnitPrice"]) * row["Quantity"],
                session_id=row["InvoiceNo"],
                context={"segment": (row["Country"] or "")[:64]},
            )
        )
    return DataSet("online-retail", list(items.values()), interactions, again=True)


_READERS: dict[str, Callable[[Path], DataSet]] = {"ratings.csv.gz": _movielens, "lines.parquet": _retail}

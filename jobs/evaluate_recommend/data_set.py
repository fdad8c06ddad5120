"""The data sets that protocols are defined on, as the events that `sluice replay` makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError
from schemas.events import Interaction, Item
from serving.history import reader
from serving.history.mapping import load


@dataclass(frozen=True)
class Shape:
    """How a folder is read: files, and the shipped mapping of the interactions; that of the items ends in `-items`."""

    mapping: str
    interactions: str
    items: str
    again: bool


SHAPES = (
    Shape("movielens-100k", "ratings.csv.gz", "items.csv.gz", again=False),
    Shape("online-retail", "lines.parquet", "lines.parquet", again=True),
)


@dataclass(frozen=True)
class DataSet:
    """A catalogue and what was done with it, each in order of time; `again` = people come back to the same items."""

    name: str
    items: list[Item]
    interactions: list[Interaction]
    again: bool


def shape(folder: Path) -> Shape:
    """How the folder is read, known by its files. Raises InputError for one that holds none of the known ones."""
    for known in SHAPES:
        if (folder / known.interactions).exists():
            return known
    files = " and no ".join(known.interactions for known in SHAPES)
    raise InputError(f"{folder}: no {files}; give the folder of movielens-100k or online-retail")


def read(folder: Path) -> DataSet:
    """The data set of a folder.

    Raises InputError for a folder that holds none of the known ones, MappingError for files that can not be read.
    """
    of = shape(folder)
    items = reader.events(folder / of.items, load(f"{of.mapping}-items"))
    interactions = reader.events(folder / of.interactions, load(of.mapping))
    return DataSet(
        of.mapping,
        [event for event in items if isinstance(event, Item)],
        [event for event in interactions if isinstance(event, Interaction)],
        of.again,
    )

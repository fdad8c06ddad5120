"""The entities a stage works on: a bounded cache over state that somebody else keeps."""

from __future__ import annotations

from typing import Protocol

from serving.entity_table import EntityTable
from serving.sealed import Read, Writes

__all__ = ["AllInMemory", "Entities", "EntityCache", "Read", "Writes"]

_EVERYTHING = 2**62


class Entities(Protocol):
    """Where a stage finds its entities and leaves what it changed."""

    def table(self, kind: str) -> EntityTable:
        """The entities of that kind."""

    def keep(self, kind: str, changed: dict[str, int]) -> list[Writes]:
        """Keep the new state of these rows, at the end of a batch; returns what was written of each, by state key."""


class EntityCache:
    """Entities over keyed state: read once, kept while they are used, written back in batches.

    `read` fetches state bytes by key; `limit` is the number of entities of a kind that are kept between batches, the
    least recently used goes first.
    """

    def __init__(self, read: Read, limit: int) -> None:
        self._read = read
        self._limit = limit
        self._tables: dict[str, EntityTable] = {}
        self._writes: Writes = {}

    @property
    def hits(self) -> int:
        """How often an entity was here."""
        return sum(table.hits for table in self._tables.values())

    @property
    def misses(self) -> int:
        """How often an entity had to be read from state."""
        return sum(table.misses for table in self._tables.values())

    def table(self, kind: str) -> EntityTable:
        """The entities of that kind."""
        found = self._tables.get(kind)
        if found is None:
            found = self._tables[kind] = EntityTable(kind, self._stored, self._limit)
        return found

    def keep(self, kind: str, changed: dict[str, int]) -> list[Writes]:
        """Pack what changed; its bytes wait for `take_writes`."""
        table = self.table(kind)
        found = table.pack(changed)
        for writes in found:
            self._writes.update(writes)
        table.trim()
        return found

    def take_writes(self) -> Writes:
        """What changed since the last call, by state key; None deletes."""
        writes, self._writes = self._writes, {}
        return writes

    def _stored(self, key: str) -> bytes | None:
        """Writes that wait are newer than state: an entity may leave the cache and come back before they are taken."""
        return self._writes[key] if key in self._writes else self._read(key)


class AllInMemory(EntityCache):
    """Entities that live and die with the process: for a backfill over history, which packs nothing."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, _EVERYTHING)

    def keep(self, kind: str, changed: dict[str, int]) -> list[Writes]:  # noqa: ARG002  nothing is kept, of no kind
        """Nothing to pack."""
        return [{} for _ in changed]

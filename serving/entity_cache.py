"""The entities a stage works on: a bounded cache over state that somebody else keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from serving.entities import Entity, load

Read = Callable[[str], bytes | None]
Writes = dict[str, bytes | None]


class Entities(Protocol):
    """Where a stage finds its entities and leaves what it changed."""

    def get(self, kind: str, entity_id: str) -> Entity:
        """The entity, new when it is not known."""

    def changed(self, kind: str, entity_id: str, entity: Entity) -> Writes:
        """Keep the entity's new state; returns the bytes written, by state key."""


class EntityCache:
    """Entities over keyed state: read once, kept while they are used, written back in batches.

    `read` fetches state bytes by key; `limit` is the number of entities kept, the least recently used goes first.
    """

    def __init__(self, read: Read, limit: int) -> None:
        self._read = read
        self._limit = limit
        self._entities: dict[str, Entity] = {}
        self._writes: Writes = {}
        self.hits = 0
        self.misses = 0

    def get(self, kind: str, entity_id: str) -> Entity:
        """The entity, from the cache or from state."""
        key = f"{kind}:{entity_id}"
        entity = self._entities.pop(key, None)
        if entity is None:
            self.misses += 1
            entity = load(kind, key, self._stored)
            if len(self._entities) >= self._limit:
                del self._entities[next(iter(self._entities))]
        else:
            self.hits += 1
        self._entities[key] = entity
        return entity

    def changed(self, kind: str, entity_id: str, entity: Entity) -> Writes:
        """Pack the entity; its bytes wait for `take_writes`."""
        writes: Writes = {}
        entity.write(f"{kind}:{entity_id}", writes)
        self._writes.update(writes)
        return writes

    def take_writes(self) -> Writes:
        """What changed since the last call, by state key; None deletes."""
        writes, self._writes = self._writes, {}
        return writes

    def _stored(self, key: str) -> bytes | None:
        """Writes that wait are newer than state: an entity may leave the cache and come back before they are taken."""
        return self._writes[key] if key in self._writes else self._read(key)


class AllInMemory:
    """Entities that live and die with the process: for a backfill over history, which packs nothing."""

    def __init__(self) -> None:
        self._entities: dict[tuple[str, str], Entity] = {}

    def get(self, kind: str, entity_id: str) -> Entity:
        """The entity, new when it is not known."""
        key = (kind, entity_id)
        entity = self._entities.get(key)
        if entity is None:
            entity = self._entities[key] = Entity(kind)
        return entity

    def changed(self, kind: str, entity_id: str, entity: Entity) -> Writes:  # nothing to keep
        """Nothing to pack."""
        entity.dirty.clear()
        return {}

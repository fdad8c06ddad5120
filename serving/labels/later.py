"""Things that wait for a time, in the keyed state of a bucket: an index of slots, and small chunks of each slot.

A chunk is written once and read once, so that a batch costs its own bytes and not those of all that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from schemas.errors import StateVersionError
from serving.entity_cache import Writes

VERSION = 1

T = TypeVar("T")


class _Slot(msgspec.Struct, array_like=True):
    chunks: int = 0
    things: int = 0


class _Index(msgspec.Struct, array_like=True):
    version: int = VERSION
    slots: dict[int, _Slot] = {}


_encoder = msgspec.msgpack.Encoder()
_index_decoder = msgspec.msgpack.Decoder(_Index)


class Later(Generic[T]):
    """The things of type `kind` that wait under `name`, at most `most` of them.

    It lives for one batch: it reads the state of the bucket when it is asked, and `take_writes` gives what changed.
    """

    def __init__(self, name: str, kind: type[T], most: int, read: Callable[[str], bytes | None]) -> None:
        self._name = name
        self._most = most
        self._read = read
        self._decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]  # mypy takes `kind` for a value alone
        self._held: _Index | None = None
        self._writes: Writes = {}

    def __len__(self) -> int:
        return sum(slot.things for slot in self._index.slots.values())

    def put(self, things: Iterable[tuple[int, T]], width_ms: int) -> list[T]:
        """Keep things until their time in ms, rounded up to a slot of `width_ms`; those that find no room come back."""
        slots: dict[int, list[T]] = {}
        refused, room = [], self._most - len(self)
        for due_ms, thing in things:
            if room <= 0:
                refused.append(thing)
                continue
            room -= 1
            slots.setdefault(-(-due_ms // width_ms) * width_ms, []).append(thing)
        for due_ms, part in slots.items():
            slot = self._index.slots.setdefault(due_ms, _Slot())
            self._writes[self._chunk(due_ms, slot.chunks)] = _encoder.encode(part)
            slot.chunks += 1
            slot.things += len(part)
        return refused

    def next_ms(self) -> int | None:
        """When the first slot is due, None when nothing waits."""
        return min(self._index.slots, default=None)

    def take(self, now_ms: int, about: int) -> list[T]:
        """Things whose slot is due, `about` so many: chunks are taken whole. Call again while anything comes."""
        taken: list[T] = []
        slots = self._index.slots
        for due_ms in sorted(due for due in slots if due <= now_ms):
            slot = slots[due_ms]
            while slot.chunks and len(taken) < about:
                slot.chunks -= 1
                key = self._chunk(due_ms, slot.chunks)
                raw = self._writes.get(key) or self._read(key)
                self._writes[key] = None
                part = self._decoder.decode(raw) if raw else []
                slot.things -= len(part)
                taken += part
            if slot.chunks:
                break
            del slots[due_ms]
        return taken

    def take_writes(self) -> Writes:
        """State that changed."""
        if self._writes:
            self._writes[self._name] = _encoder.encode(self._index) if self._index.slots else None
        writes, self._writes = self._writes, {}
        return writes

    @property
    def _index(self) -> _Index:
        if self._held is None:
            raw = self._read(self._name)
            self._held = _index_decoder.decode(raw) if raw else _Index()
            if self._held.version != VERSION:
                raise StateVersionError(
                    f"state of what waits under {self._name} has version {self._held.version}, "
                    f"this release reads {VERSION}; upgrade it"
                )
        return self._held

    def _chunk(self, due_ms: int, number: int) -> str:
        return f"{self._name}:{due_ms}:{number}"

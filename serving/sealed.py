"""Sealed pieces of a long history as entries of state: each by itself at first, a group of them together once complete.

A piece is written when it is sealed and again with its group, and read with its group: what a busy merchant's
history costs after a restart is a call into the JVM for each entry (DECISIONS.md, 9).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from schemas.errors import StateVersionError

# Pieces of a group.
GROUP = 16

Read = Callable[[str], bytes | None]
Writes = dict[str, bytes | None]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


def piece_key(number: int, key: str) -> str:
    """The number stands in front because an id may end in `#1`; an entity's own key starts with its kind."""
    return f"{number}#{key}"


def group_key(number: int, key: str) -> str:
    """The key of a complete group."""
    return f"g{number}#{key}"


def singles(key: str, first: int, end: int, read: Read) -> list[bytes]:
    """Pieces `first` to `end` (exclusive), each an entry of its own. Raises StateVersionError when one is missing."""
    return [_present(piece_key(number, key), key, read) for number in range(first, end)]


def grouped(key: str, first: int, end: int, read: Read) -> list[bytes]:
    """Pieces `first` to `end` (exclusive), those of complete groups from their groups.

    Raises StateVersionError when an entry is missing, or a group holds other pieces than those that are left of it.
    """
    complete = end // GROUP
    pieces: list[bytes] = []
    for number in range(first // GROUP, complete):
        group = _decoder.decode(_present(group_key(number, key), key, read))
        if len(group) != (number + 1) * GROUP - max(first, number * GROUP):
            raise StateVersionError(f"state of {key} has another chunk g{number}; restore a whole savepoint")
        pieces += group
    return pieces + singles(key, max(first, complete * GROUP), end, read)


def changes(key: str, held: range, dirty: range, pack: Callable[[int], bytes]) -> Writes:
    """What to write, None = delete, when the pieces `dirty` were sealed, changed or dropped and `held` are left.

    `pack` gives the bytes of a piece.
    """
    writes: Writes = {}
    for number in range(dirty.start // GROUP, -(-dirty.stop // GROUP)):
        begin, end = number * GROUP, (number + 1) * GROUP
        touched = range(max(begin, dirty.start), min(end, dirty.stop))
        if end > held.stop:
            for piece in touched:
                writes[piece_key(piece, key)] = pack(piece) if piece in held else None
        elif end <= held.start:
            writes[group_key(number, key)] = None
            # One that was complete and gone in the same batch had entries of its pieces.
            writes.update((piece_key(piece, key), None) for piece in touched)
        else:
            # Also when pieces only left it: what is stored follows from the events alone, not from how they came.
            writes[group_key(number, key)] = _encoder.encode([pack(n) for n in range(max(begin, held.start), end)])
            if end - 1 in dirty:
                # It is complete now: its pieces were entries of their own until its last was sealed.
                writes.update((piece_key(piece, key), None) for piece in range(begin, end - 1))
    return writes


def _present(entry: str, key: str, read: Read) -> bytes:
    raw = read(entry)
    if raw is None:
        raise StateVersionError(f"state of {key} lacks its chunk {entry.partition('#')[0]}; restore a whole savepoint")
    return raw

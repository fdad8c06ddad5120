"""What is kept of one model, segment and hour: counts and sketches of bounded size that can be merged.

Counts in the reference's bins are whole numbers, so merging them in any order gives the same numbers, and every
measure that is made of them. So are the counts of names, once a first day has said which names are heavy. Until then
these (frequent items) and, where there is no reference to count by, quantiles (t-digest) are sketches of
`datasketches`, right within their own bounds in any order of merging; a day merges its windows by their begin, so that
the same windows give the same numbers whichever came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import datasketches
import msgspec
import numpy as np

from schemas.errors import StateVersionError
from serving.drift.grid import Counts, Floats, Grid

VERSION = 1
# Shares of names are too low by at most 3.5 / 2 ** 10, and names above that are found for sure.
LG_HEAVY = 10
HEAVIEST = 20
# A rank q of a t-digest of this compression, merged of some parts in any order, is off by up to a quarter of q (1 - q):
# 6 % at the median (of 1,500 at random the worst was 4.6 %), 1 % at a twentieth.
COMPRESSION = 100
MICRO = 1_000_000


class Packed(msgspec.Struct, array_like=True, frozen=True):
    """A sketch as bytes and numbers."""

    version: int
    rows: int
    unread: int
    counts: bytes
    shape: tuple[int, int]
    odd: bytes
    extremes: bytes
    kinds: dict[str, int]
    score_micro: int
    heavy: bytes
    digests: list[bytes]
    named: dict[str, int] | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Packed)


class Sketch:
    """One model, segment and hour. The columns are the features, the score, and what reconstruction leaves over.

    `unread` are answers whose vector has not the shape of its feature set. `digests` are there while there is no
    reference: then `counts` have no columns. Of the names in `named` each is counted, and no other; with None, before
    it is known which are heavy, all of them go through the sketch `heavy`.
    """

    def __init__(self, counts: Counts, digests: int = 0, named: Iterable[str] | None = None) -> None:
        columns = counts.shape[0]
        self.rows = self.unread = self.score_micro = 0
        self.counts = counts
        # Of each column: what is no number, and what lies beyond the reference.
        self.odd: Counts = np.zeros((max(columns, digests), 2), np.int64)
        self.extremes: Floats = np.tile([np.inf, -np.inf], (max(columns, digests), 1))
        self.kinds: dict[str, int] = {}
        self.named = None if named is None else dict.fromkeys(named, 0)
        self.heavy = datasketches.frequent_strings_sketch(LG_HEAVY)
        self.digests = [datasketches.tdigest_double(COMPRESSION) for _ in range(digests)]

    def add(self, grid: Grid | None, rows: Floats, kinds: Sequence[str], heavy: Sequence[str]) -> None:
        """Count answers; `rows` has a column for each of the sketch's, the score at the place before the last."""
        self.rows += len(rows)
        self.score_micro += int(np.sum(np.rint(np.nan_to_num(rows[:, -2]) * MICRO)))
        if grid is not None:
            grid.count(rows, self.counts, self.odd, self.extremes)
        else:
            self._digest(rows)
        for kind in kinds:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.named is None:
            for name in heavy:
                self.heavy.update(name)
        else:
            for name in heavy:
                if name in self.named:
                    self.named[name] += 1

    def merge(self, other: Sketch) -> None:
        """Take in what another of the same model and reference counted."""
        self.rows += other.rows
        self.unread += other.unread
        self.score_micro += other.score_micro
        self.counts += other.counts
        self.odd += other.odd
        np.minimum(self.extremes[:, 0], other.extremes[:, 0], out=self.extremes[:, 0])
        np.maximum(self.extremes[:, 1], other.extremes[:, 1], out=self.extremes[:, 1])
        for kind, count in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        if self.named is None:
            self.heavy.merge(other.heavy)
        else:
            assert other.named is not None, "the names of all sketches of a model are known at once"
            for name, count in other.named.items():
                self.named[name] = self.named.get(name, 0) + count
        for mine, others in zip(self.digests, other.digests, strict=True):
            mine.merge(others)

    def name(self, names: Iterable[str]) -> None:
        """From here on count these names alone; what was met of them so far is as the sketch has it, at least."""
        self.named = {name: int(self.heavy.get_lower_bound(name)) for name in names}
        self.heavy = datasketches.frequent_strings_sketch(LG_HEAVY)

    def heaviest(self) -> list[tuple[str, int]]:
        """The names that came most often with at least their counts, the heaviest first.

        Of what is estimated only names of which more was counted than may be missing: of the rest little is known.
        """
        if self.named is not None:
            found = list(self.named.items())
        else:
            items = self.heavy.get_frequent_items(datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES)
            found = [(name, int(low)) for name, _, low, high in items if low >= high - low]
        return sorted(found, key=lambda item: (-item[1], item[0]))[:HEAVIEST]

    def to_bytes(self) -> bytes:
        """The whole, for `from_bytes`."""
        return _encoder.encode(
            Packed(
                VERSION,
                self.rows,
                self.unread,
                self.counts.astype(np.uint32).tobytes(),
                (self.counts.shape[0], self.counts.shape[1]),
                self.odd.astype(np.uint32).tobytes(),
                self.extremes.tobytes(),
                dict(sorted(self.kinds.items())),
                self.score_micro,
                self.heavy.serialize(),
                [digest.serialize() for digest in self.digests],
                None if self.named is None else dict(sorted(self.named.items())),
            )
        )

    def _digest(self, rows: Floats) -> None:
        for place, digest in enumerate(self.digests):
            column = rows[:, place]
            known = column[np.isfinite(column)]
            self.odd[place, 0] += len(column) - len(known)
            if len(known):
                digest.update(known)
                self.extremes[place, 0] = min(self.extremes[place, 0], known.min())
                self.extremes[place, 1] = max(self.extremes[place, 1], known.max())


def from_bytes(raw: bytes) -> Sketch:
    """The sketch of `to_bytes`. Raises StateVersionError for bytes of a version that this release does not know."""
    version = _version(raw)
    if version != VERSION:
        raise StateVersionError(f"drift sketch of version {version}, this release reads {VERSION}; start it fresh")
    packed = _decoder.decode(raw)
    found = Sketch(np.frombuffer(packed.counts, np.uint32).reshape(packed.shape).astype(np.int64), len(packed.digests))
    found.rows, found.unread, found.score_micro = packed.rows, packed.unread, packed.score_micro
    found.odd = np.frombuffer(packed.odd, np.uint32).reshape(-1, 2).astype(np.int64)
    found.extremes = np.frombuffer(packed.extremes, np.float64).reshape(-1, 2).copy()
    found.kinds = packed.kinds
    found.heavy = datasketches.frequent_strings_sketch.deserialize(packed.heavy)
    found.named = packed.named
    found.digests = [datasketches.tdigest_double.deserialize(digest) for digest in packed.digests]
    return found


def _version(raw: bytes) -> Any:
    try:
        first = msgspec.msgpack.decode(raw)[0]
    except (msgspec.DecodeError, IndexError, TypeError) as error:
        raise StateVersionError(f"a drift sketch that can not be read ({error}); start the job fresh") from error
    return first

"""The port of what labels said: the newest words on each answer, kept as long as decisions are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from serving.labels.words import Words


class Spoken(NamedTuple):
    """The words on one answer, which was given at `decided_ms`."""

    example_id: str
    decided_ms: int
    words: Words


class WordStore(Protocol):
    """Words by example; one writer an example, so that what was read last is what is replaced.

    Every method raises StoreError when the store is down and InvalidError for an id it can not hold.
    """

    def words(self, example_ids: Collection[str]) -> dict[str, Words]:
        """The words on those answers that somebody spoke of."""
        ...

    def write_words(self, spoken: Sequence[Spoken]) -> None:
        """Put the words on each answer in place of those before."""
        ...

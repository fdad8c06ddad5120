"""A label on its way to the answer that it is about, and an answer on its way to count as a negative."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from schemas.events import LabelledExample, LabelSource
from serving.inflight import Record
from serving.labels.words import Told, Word


class About(msgspec.Struct, array_like=True, frozen=True):
    """Which answer: a decision, or the item of a list. `example_id` is the answer's for one task."""

    task: str
    example_id: str
    answer_id: str
    user_id: str
    item_id: str = ""


class Claim(msgspec.Struct, array_like=True, frozen=True):
    """A word about an answer. `record` is the label's, None for a time-out, of which `maturity` is the policy."""

    about: About
    word: Word
    record: Record | None = None
    attempts: int = 0
    maturity: str = ""
    weight: float = 1.0


class Followed(msgspec.Struct, array_like=True, frozen=True):
    """A sampled answer that counts as a negative at `due_ms`, if nobody speaks of it."""

    about: About
    policy: str
    due_ms: int
    weight: float


class Arrived(NamedTuple):
    """What a record says: when, the word about an answer, and the answer that labels of a source are awaited of.

    `kind` is that of a decision which is followed, empty for an item of a list.
    """

    time_ms: int
    about: About | None = None
    word: Word | None = None
    followed: About | None = None
    awaited: LabelSource | None = None
    kind: str = ""


class Unlisted(Exception):  # noqa: N818  # no error: shops name the list of items that they added to it
    """The list does not hold the item that the label is about."""


class Answers(Protocol):
    """The logged answers that labels are about: decisions, or lists."""

    def read(self, record: Record) -> Arrived:
        """What the record says; raises EventError for one that another job refuses, too."""
        ...

    def logged(self, claims: Collection[Claim]) -> dict[str, Logged]:
        """The logged answers that there are, by answer id; raises StoreError."""
        ...


class Logged(Protocol):
    """A logged answer."""

    decided_ms: int

    def example(self, claim: Claim, told: Told) -> LabelledExample:
        """The example; raises InvalidError for an answer that can not be learned from, Unlisted for another item."""
        ...

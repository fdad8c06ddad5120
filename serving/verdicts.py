"""What labels said of a user's payments that were once called fraud, so that the last word counts, and counts once."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.events import Label

# Of so many payments of a user the last word is remembered; a label about one before them starts anew.
REMEMBERED_FRAUDS = 16
# Before every label.
LONG_AGO_MS = -1


class Word(NamedTuple):
    """The last word on a payment: when it was said, what, and where the payment is counted, None = nowhere."""

    known_ms: int
    is_fraud: bool
    merchant_id: str | None
    time_ms: int


class Verdicts:
    """The last word on each of the newest REMEMBERED_FRAUDS payments that a label called fraud, oldest first.

    The label that became known last has the last word, in whatever order labels come; of two at the same time, the one
    that takes the fraud back. A label that calls a payment good that nobody called fraud is not remembered: these are
    many.
    """

    __slots__ = ("_words",)

    def __init__(self) -> None:
        self._words: dict[int, Word] = {}

    def take(self, key: int, label: Label, *, counted: bool) -> tuple[bool, Word | None]:
        """Take in a label of the payment `key`: whether it is the last word, and what it changes, None = no count.

        What it changes is the fraud to be counted, or with `is_fraud` false the one to be taken back, where it was
        counted. `counted` says that a fraud of this payment is counted whose label is not remembered here.
        """
        before = self._words.get(key)
        if before is None and counted:
            before = Word(LONG_AGO_MS, True, label.merchant_id, label.transaction_time_ms)
        said = Word(label.event_time_ms, label.is_fraud, label.merchant_id, label.transaction_time_ms)
        if before is None:
            if label.is_fraud:
                self._remember(key, said)
            return label.is_fraud, said if label.is_fraud else None
        if (said.known_ms, not said.is_fraud) <= (before.known_ms, not before.is_fraud):
            return False, None
        if said.is_fraud and not before.is_fraud:
            self._remember(key, said)
            return True, said
        # Where it is counted was said by the label that had it counted.
        last = before._replace(known_ms=said.known_ms, is_fraud=said.is_fraud)
        self._remember(key, last)
        return True, last if last.is_fraud != before.is_fraud else None

    def packed(self) -> list[Any]:
        """Plain values that `restore` reads."""
        return [[key, *word] for key, word in self._words.items()]

    def restore(self, packed: list[Any]) -> None:
        """Take the values of `packed`."""
        self._words = {key: Word(*word) for key, *word in packed}

    def _remember(self, key: int, word: Word) -> None:
        self._words.pop(key, None)
        self._words[key] = word
        if len(self._words) > REMEMBERED_FRAUDS:
            del self._words[next(iter(self._words))]

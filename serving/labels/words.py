"""What labels said of one answer, so that the last word counts, and counts once.

A word stays as it was taken in, so a label that is read again after a crash has the effect that it had before.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from schemas.errors import StateVersionError
from schemas.events import LabelSource

VERSION = 1
# Of an answer so many words are remembered; labels about one payment are few, clicks on one item of one list, too.
REMEMBERED_WORDS = 8


class Word(msgspec.Struct, array_like=True, frozen=True):
    """One label: its event id, when it became known, what it says, who says it, and for how many answers."""

    event_id: str
    known_ms: int
    label: float
    source: LabelSource
    weight: float = 1.0


class Told(msgspec.Struct, array_like=True, frozen=True):
    """A word that was taken in. `tells` is False for one that said what was known; `replaced` is what it replaced."""

    word: Word
    tells: bool
    replaced: float | None = None
    replaced_weight: float = 1.0


class Said(Enum):
    """What a word is to those before it."""

    FIRST = "joined"
    REPLACES = "replaced"
    CONFIRMS = "confirmed"
    REPEATS = "repeat"
    STALE = "stale"


class Words(msgspec.Struct, array_like=True):
    """The newest words on an answer, the last one in force. `count` is of all that were ever taken in."""

    told: list[Told] = []
    count: int = 0

    def take(self, word: Word) -> tuple[Said, Told]:
        """Take a word in: what it is, and what it tells.

        What became known last has the last word, in whatever order labels come; of two at the same time, the one that
        says less. A time-out never has the last word against a label.
        """
        for told in self.told:
            if told.word.event_id == word.event_id:
                return Said.REPEATS, told
        if not self.told:
            return Said.FIRST, self._add(Told(word, tells=True))
        last = self.told[-1].word
        if _rank(word) <= _rank(last):
            return Said.STALE, Told(word, tells=False)
        if word.label == last.label:
            return Said.CONFIRMS, self._add(Told(word, tells=False))
        return Said.REPLACES, self._add(Told(word, True, last.label, last.weight))

    def _add(self, told: Told) -> Told:
        self.told = [*self.told[1 - REMEMBERED_WORDS :], told]
        self.count += 1
        return told


def _rank(word: Word) -> tuple[bool, int, float]:
    return word.source != "timeout", word.known_ms, -word.label


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Words)


def pack_words(words: Words) -> bytes:
    """Words as bytes, a version first."""
    return bytes([VERSION]) + _encoder.encode(words)


def unpack_words(raw: bytes) -> Words:
    """The words.

    Raises StateVersionError for bytes of another version.
    """
    if raw[:1] != bytes([VERSION]):
        raise StateVersionError(
            f"stored words on an answer have version {raw[:1].hex()}, this release reads {VERSION}; upgrade it"
        )
    return _decoder.decode(memoryview(raw)[1:])

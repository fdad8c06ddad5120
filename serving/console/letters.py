"""Dead letters: the newest of them, why they are there, and whether they were played back."""

from __future__ import annotations

from collections import Counter

import msgspec

from schemas.events import DeadLetter, SourcePosition

MAX_LETTERS = 500
SHOWN = 100
PREVIEW_BYTES = 300


class Letter(msgspec.Struct, frozen=True):
    """A dead letter without its record, of which `preview` is the beginning as text; `replayed_ms` 0 = it waits."""

    event_id: str
    event_time_ms: int
    reason: str
    detail: str
    job: str
    source: SourcePosition
    bytes: int
    preview: str
    replayed_ms: int = 0


class LettersView(msgspec.Struct, frozen=True):
    """How many of the newest MAX_LETTERS wait, by reason, and the SHOWN newest, waiting or not."""

    waiting: dict[str, int]
    letters: list[Letter]


class Letters:
    """The newest MAX_LETTERS letters, one for each id."""

    def __init__(self) -> None:
        self.changes = 0
        self._letters: dict[str, Letter] = {}

    def take(self, letter: DeadLetter) -> None:
        """A letter was read, or the mark that one was played back."""
        known = self._letters.get(letter.event_id)
        if letter.replayed_ms:
            if known is not None:
                self.changes += 1
                self._letters[letter.event_id] = msgspec.structs.replace(known, replayed_ms=letter.replayed_ms)
            return
        if known is not None:
            return
        self.changes += 1
        self._letters[letter.event_id] = Letter(
            letter.event_id,
            letter.event_time_ms,
            letter.reason,
            letter.detail,
            letter.job,
            letter.source,
            letter.raw_bytes or len(letter.raw),
            letter.raw[:PREVIEW_BYTES].decode(errors="backslashreplace"),
        )
        if len(self._letters) > MAX_LETTERS:
            del self._letters[next(iter(self._letters))]

    def view(self) -> LettersView:
        """Newest first."""
        newest = sorted(self._letters.values(), key=lambda letter: (letter.event_time_ms, letter.event_id))
        waiting = Counter(letter.reason for letter in newest if not letter.replayed_ms)
        return LettersView(dict(waiting.most_common()), newest[::-1][:SHOWN])

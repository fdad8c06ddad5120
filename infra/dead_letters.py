"""Dead letters: what could not be processed, and its way back to the topic it came from.

A letter is played back first and marked second, a batch at a time, so a crash in between plays one batch again and
loses nothing. A record that comes twice is a repeat, which the jobs recognise by its event id (DECISIONS.md, 20).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from itertools import islice

import msgspec

from infra import publish
from infra.topic_reader import read
from schemas import topics
from schemas.codec import MAX_EVENT_BYTES, decode, encode
from schemas.errors import EventError, NotFoundError, PartFailedError
from schemas.events import DeadLetter
from schemas.settings import Kafka
from schemas.topics import CONTROL, DEAD_LETTERS

BATCH_LETTERS = 200
WRONG_KEY = "wrong_key"
# Why a letter stays where it is, and what to do about it.
NEEDS_REKEY = "a wrong key stays wrong: give --rekey to use the event's user or item id"
TOO_LARGE = f"more than {MAX_EVENT_BYTES} bytes, which no job reads"
CUT = "the record or its key is too long for a letter, which holds only the beginning: its producer has to send it anew"
NO_ID = "no readable event with an id to use as key"
OLD_CONTROL = "an old control record would replace a newer one: publish it anew with `sluice control` or `models`"

# Not schemas.codec.decode: its bound is for events, and a letter wraps a whole record of up to 1 MB.
_decoder = msgspec.json.Decoder(DeadLetter)


@dataclass(frozen=True)
class Choice:
    """Which letters: each condition that is given must hold. `ids` empty = any."""

    reason: str | None = None
    since_ms: int = 0
    ids: frozenset[str] = frozenset()

    def __contains__(self, letter: DeadLetter) -> bool:
        return (
            self.reason in {None, letter.reason}
            and letter.event_time_ms >= self.since_ms
            and (not self.ids or letter.event_id in self.ids)
        )


@dataclass
class Overview:
    """The chosen letters, one for each id: reasons by id, and the newest of them whole, newest first.

    `replayed` holds when a letter was played back, by id; `foreign` counts records that are no dead letters.
    """

    reasons: dict[str, str] = field(default_factory=dict)
    newest: list[DeadLetter] = field(default_factory=list)
    replayed: dict[str, int] = field(default_factory=dict)
    foreign: int = 0

    def waiting(self) -> Counter[str]:
        """Letters that were not played back, by reason."""
        return Counter(reason for letter_id, reason in self.reasons.items() if letter_id not in self.replayed)


def overview(kafka: Kafka, choice: Choice, limit: int = 0) -> Overview:
    """What the topic holds of the chosen letters, `limit` of them whole.

    Raises NotFoundError for an id that no letter has, OperatorError when the broker does not answer.
    """
    found = Overview()
    newest: list[tuple[int, str, DeadLetter]] = []
    for letter in _letters(kafka, found):
        if letter.replayed_ms:
            found.replayed[letter.event_id] = letter.replayed_ms
        elif letter in choice and letter.event_id not in found.reasons:
            found.reasons[letter.event_id] = letter.reason
            # An id occurs once in the heap, so that letters themselves are never compared.
            item = (letter.event_time_ms, letter.event_id, letter)
            if len(newest) < limit:
                heappush(newest, item)
            elif limit:
                heappushpop(newest, item)
    missing = sorted(choice.ids - found.reasons.keys())
    if missing:
        raise NotFoundError(f"no dead letter {missing[0]} (of that choice); see `sluice dead-letters list`")
    found.newest = [letter for _, _, letter in sorted(newest, key=lambda item: item[:2], reverse=True)]
    return found


@dataclass
class Replayed:
    """What became of the chosen letters: sent by topic, left where they are by cause, and played back before."""

    sent: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    before: int = 0


def replay(kafka: Kafka, choice: Choice, now_ms: int, *, rekey: bool = False, dry_run: bool = False) -> Replayed:
    """Publish the raw bytes of each chosen letter under its key to the topic it came from, once.

    With `rekey`, a letter with a wrong key gets its event's user or item id. With `dry_run`, nothing is published.
    Raises NotFoundError for an id that no letter has, OperatorError when the broker does not answer or confirm.
    """
    seen = overview(kafka, choice)
    done = Replayed(before=len(seen.reasons.keys() & seen.replayed.keys()))
    # Fixed before the first is sent: a record that fails again comes back as a new letter, and that one must wait.
    waiting = seen.reasons.keys() - seen.replayed.keys()
    plans = _plans(kafka, waiting, done, rekey)
    client = None if dry_run else publish.connect(kafka)
    while batch := list(islice(plans, BATCH_LETTERS)):
        if client is not None:
            _send(client, [record for record, _ in batch])
            _send(client, [_mark(letter, now_ms) for _, letter in batch])
        done.sent.update(record.topic for record, _ in batch)
    return done


def key_for(letter: DeadLetter, *, rekey: bool) -> bytes | None:
    """The key under which the letter's record goes back.

    Raises EventError when its event can not be read or lacks the id.
    """
    if letter.reason != WRONG_KEY or not rekey:
        return letter.key
    carrier = topics.topic(letter.source.topic)
    # Only topics whose key is a field of their events refuse a key.
    own: str = getattr(decode(carrier.schema, letter.raw), carrier.key)
    return own.encode()


def _letters(kafka: Kafka, found: Overview) -> Iterator[DeadLetter]:
    """Every letter and mark on the topic; what is neither is counted in `found`."""
    for record in read(kafka, DEAD_LETTERS.name):
        try:
            yield _decoder.decode(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found.foreign += 1


def _plans(kafka: Kafka, waiting: set[str], done: Replayed, rekey: bool) -> Iterator[tuple[publish.Record, DeadLetter]]:
    """Each waiting letter, once, in the order of the log, with the record to send; what must stay is counted."""
    for letter in _letters(kafka, Overview()):
        if letter.replayed_ms or letter.event_id not in waiting:
            continue
        waiting.remove(letter.event_id)
        obstacle = _obstacle(letter, rekey)
        if obstacle is not None:
            done.left[obstacle] += 1
            continue
        try:
            key = key_for(letter, rekey=rekey)
        except EventError:
            done.left[NO_ID] += 1
            continue
        yield publish.Record(letter.source.topic, key, letter.raw), letter


def _obstacle(letter: DeadLetter, rekey: bool) -> str | None:
    if letter.source.topic == CONTROL.name:
        return OLD_CONTROL
    new_key = rekey and letter.reason == WRONG_KEY
    if letter.raw_bytes or (letter.key_bytes and not new_key):
        return CUT
    if len(letter.raw) > MAX_EVENT_BYTES:
        return TOO_LARGE
    return NEEDS_REKEY if letter.reason == WRONG_KEY and not rekey else None


def _mark(letter: DeadLetter, now_ms: int) -> publish.Record:
    """Under the letter's own key, so that it lies behind the letter and is kept at least as long."""
    mark = msgspec.structs.replace(letter, raw=b"", replayed_ms=now_ms)
    return publish.Record(DEAD_LETTERS.name, letter.key, encode(mark))


def _send(client: publish.Client, records: list[publish.Record]) -> None:
    if publish.publish(records, client, publish.Pace()).interrupted:
        raise PartFailedError("playing back was interrupted; run the command again, it goes on where it stopped")

"""The label join as a step: records in, labelled examples out; what is not known yet waits in the bucket's state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from schemas import codec, metrics
from schemas.errors import EventError, InvalidError
from schemas.events import LabelledExample
from schemas.topics import LABELLED_EXAMPLES
from schemas.units import DAY_MS, SECOND_MS
from serving.dead_letter import dead_letter
from serving.entity_cache import Writes
from serving.inflight import Output, Record
from serving.labels.claim import Answers, Arrived, Claim, Followed, Unlisted
from serving.labels.later import Later
from serving.labels.maturity import MaturityControl, is_sampled, timeout_id
from serving.labels.words import Word, Words
from serving.stages import Count
from serving.stores.words import Spoken, WordStore

JOB = "join_labels"
# An answer is written within a second of its record; some two hours cover a history store that lags behind.
RETRY_DELAYS_MS = tuple(5 * SECOND_MS * 4**attempt for attempt in range(6))
# Of a bucket; a label is some 500 bytes, an answer that is followed some 100.
MOST_WAITING = 50_000
MOST_FOLLOWED = 5_000_000
# What is taken out of waiting at once.
PART = 256
# Of a policy's days, so that what waits lies in few slots whatever they are.
SLOTS_A_POLICY = 500
CLOCK = "clock"


class Waiting:
    """What waits in one bucket, and its clock: the newest event time that it saw. Lives for one batch."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self.retries = Later("retries", Claim, MOST_WAITING, read)
        self.followed = Later("followed", Followed, MOST_FOLLOWED, read)
        self._before_ms = self.clock_ms = int.from_bytes(read(CLOCK) or b"", "big")

    def take_writes(self) -> Writes:
        """State that changed."""
        clock: Writes = {} if self.clock_ms == self._before_ms else {CLOCK: self.clock_ms.to_bytes(8, "big")}
        return clock | self.retries.take_writes() | self.followed.take_writes()


class LabelJoin:
    """Joins labels with logged answers.

    Words are written before their examples leave: whatever is read again after a crash finds its own word and tells the
    same example again. Methods raise StoreError when a store is down; then nothing was taken out of `waiting` for good,
    for its writes are not taken.
    """

    def __init__(self, answers: Answers, words: WordStore, count: Count) -> None:
        self._answers = answers
        self._words = words
        self._count = count

    def step(self, records: Sequence[Record], waiting: Waiting, control: MaturityControl, now_ms: int) -> list[Output]:
        """Examples of the labels in the batch, and of what became due with it. `now_ms` is the machine's clock."""
        claims: list[Claim] = []
        followed: dict[int, list[tuple[int, Followed]]] = {}
        for record in records:
            self._count(metrics.EVENTS)
            try:
                arrived = self._answers.read(record)
            except EventError as error:
                # The job that owns the topic refuses it too, and hands it to the dead letters.
                self._count(metrics.REJECTS, error.reason)
                continue
            waiting.clock_ms = max(waiting.clock_ms, arrived.time_ms)
            if arrived.about is not None and arrived.word is not None:
                self._count(metrics.LABELS)
                claims.append(Claim(arrived.about, arrived.word, record))
            for wait_ms, one in _followed(arrived, record.arrival_ms, control):
                followed.setdefault(wait_ms, []).append((one.due_ms, one))
        for wait_ms, some in followed.items():
            refused = waiting.followed.put(some, max(SECOND_MS, wait_ms // SLOTS_A_POLICY))
            self._count(metrics.MATURING_FULL, "", len(refused))
        outputs = self._settle(claims, waiting, now_ms)
        return outputs + self.wake(waiting, now_ms)

    def wake(self, waiting: Waiting, now_ms: int) -> list[Output]:
        """Examples of labels that are to be tried again, and of answers that count as negatives by now."""
        outputs: list[Output] = []
        while claims := waiting.retries.take(now_ms, PART):
            outputs += self._settle(claims, waiting, now_ms)
        while followed := waiting.followed.take(waiting.clock_ms, PART):
            outputs += self._settle([_timeout(one) for one in followed], waiting, now_ms)
        return outputs

    def _settle(self, claims: Sequence[Claim], waiting: Waiting, now_ms: int) -> list[Output]:
        """Let the claims meet their answers, in their order."""
        if not claims:
            return []
        spoken = self._words.words({claim.about.example_id for claim in claims})
        logged = self._answers.logged(claims)
        outputs: list[Output] = []
        changed: dict[str, Spoken] = {}
        for claim in claims:
            about, answer = claim.about, logged.get(claim.about.answer_id)
            if answer is None:
                outputs += self._unknown(claim, waiting, now_ms)
                continue
            words = spoken.setdefault(about.example_id, Words())
            if claim.record is None and words.told and words.told[-1].word.source != "timeout":
                continue
            count = words.count
            # Only what can be told is taken in: a refused label must not replace one that counted.
            after = msgspec.structs.replace(words)
            said, told = after.take(claim.word)
            try:
                example = answer.example(claim, told)
            except Unlisted:
                self._count(metrics.LABEL_JOINS, "unlisted")
                continue
            except InvalidError as error:
                outputs += self._refused(claim, error)
                continue
            self._count(metrics.LABEL_JOINS, said.value)
            spoken[about.example_id] = after
            if after.count != count:
                changed[about.example_id] = Spoken(about.example_id, answer.decided_ms, after)
            if told.tells:
                outputs.append(_output(example))
        if changed:
            self._words.write_words(list(changed.values()))
        return outputs

    def _unknown(self, claim: Claim, waiting: Waiting, now_ms: int) -> list[Output]:
        """Try again later, until the last time; an answer that is followed was known once, so it is gone for good."""
        if claim.record is None:
            self._count(metrics.LABEL_JOINS, "unknown")
            return []
        if claim.attempts < len(RETRY_DELAYS_MS):
            delay_ms = RETRY_DELAYS_MS[claim.attempts]
            later = msgspec.structs.replace(claim, attempts=claim.attempts + 1)
            if not waiting.retries.put([(now_ms + delay_ms, later)], SECOND_MS):
                self._count(metrics.LABEL_JOINS, "waiting")
                return []
        tried = f"after {claim.attempts} retries" if claim.attempts else "and too many labels wait already"
        error = InvalidError(f"no answer {claim.about.answer_id!a} is known {tried}", "unknown_answer")
        self._count(metrics.LABEL_JOINS, "unknown")
        self._count(metrics.REJECTS, error.reason)
        return [dead_letter(claim.record, error, JOB)]

    def _refused(self, claim: Claim, error: InvalidError) -> list[Output]:
        self._count(metrics.LABEL_JOINS, "refused")
        self._count(metrics.REJECTS, error.reason)
        return [] if claim.record is None else [dead_letter(claim.record, error, JOB)]


def _followed(arrived: Arrived, arrival_ms: int, control: MaturityControl) -> Iterator[tuple[int, Followed]]:
    """The policies that follow an answer which the broker took then: how long each waits, and what for."""
    about = arrived.followed
    if about is None or arrived.awaited is None:
        return
    for name, policy in control.waiting_for(arrived.awaited, arrival_ms):
        if arrived.kind and arrived.kind not in policy.decisions:
            continue
        if is_sampled(policy, name, about.example_id):
            wait_ms = round(policy.days * DAY_MS)
            yield wait_ms, Followed(about, name, arrived.time_ms + wait_ms, 1 / policy.share)


def _timeout(followed: Followed) -> Claim:
    word = Word(
        timeout_id(followed.policy, followed.about.example_id), followed.due_ms, 0.0, "timeout", followed.weight
    )
    return Claim(followed.about, word, None, maturity=followed.policy, weight=followed.weight)


def _output(example: LabelledExample) -> Output:
    return Output(LABELLED_EXAMPLES.name, example.user_id.encode(), codec.encode(example))

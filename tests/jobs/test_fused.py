"""Stages fused into one do what they do in a row, each with an operator and state of its own."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.runtime.fused import Fused
from jobs.runtime.metrics import JobMetrics
from jobs.runtime.stage import Door, Stage
from schemas import metrics
from schemas.settings import Settings
from serving.entity_cache import Writes
from serving.inflight import Message, Output, Record, Verdict, pack, unpack
from tests.jobs.test_job_metrics import Group
from tests.step.runs import merge

SETTINGS = Settings()


class Tally(Stage):
    """Counts the records of each key; tells the merchant that the value names of every second one."""

    uid = "tally"

    def open(self, door: Door) -> None:
        self._door, self._writes = door, {}

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:
        told: list[Message] = []
        for record in batch:
            if record.value is None:
                told.append(Output("dead-letters", record.key, b"no value"))
                continue
            self._door.metrics.count(metrics.EVENTS)
            user = record.key.decode()
            count = self._writes[f"tally:{user}"] = bytes([self._before(f"tally:{user}") + 1])
            if count[0] % 2 == 0:
                told.append(Verdict(record.value.decode(), user, count[0], "e"))
        return told

    def route(self, message: Message) -> str:
        return message.merchant_id

    def take_writes(self) -> Writes:
        taken, self._writes = self._writes, {}
        return taken

    def _before(self, key: str) -> int:
        raw = self._writes.get(key) or self._door.read(key)
        return raw[0] if raw else 0


class Total(Tally):
    """Sums what merchants were told, and answers; forgets a sum above nine."""

    uid = "total"

    def step(self, batch: Sequence[Message]) -> Sequence[Message]:
        answers: list[Message] = []
        for message in batch:
            if isinstance(message, Output):
                answers.append(message)
                continue
            if message.merchant_id == "broken":
                raise ValueError("no such merchant")
            key = f"total:{message.merchant_id}"
            raw = self._writes[key] if key in self._writes else self._door.read(key)
            total = (raw[0] if raw else 0) + message.time_ms
            self._writes[key] = bytes([total]) if total <= 9 else None
            answers.append(Output("decisions", message.user_id.encode(), bytes([total])))
        return answers


class Held(Tally):
    """Keeps something that must be let go."""

    def __init__(self, uid: str, log: list[str], fails: str = "") -> None:
        self.uid, self._log, self._fails = uid, log, fails

    def open(self, _door: Door) -> None:
        if self._fails == "open":
            raise ValueError(f"{self.uid} can not be opened")
        self._log.append(f"open {self.uid}")

    def close(self) -> None:
        self._log.append(f"close {self.uid}")
        if self._fails == "close":
            raise ValueError(f"{self.uid} can not be closed")


def door(state: dict[str, bytes]) -> Door:
    return Door(state.get, JobMetrics(Group()), SETTINGS, clock_us=lambda: 0, now_ms=lambda: 0)


def opened(state: dict[str, bytes]) -> Fused:
    """As it comes to the cluster: pickled before it is opened."""
    fused: Fused = pickle.loads(pickle.dumps(Fused((Tally(), Total()))))  # our own bytes
    fused.open(door(state))
    return fused


def records(words: str) -> list[Record]:
    """`ann>m1`: a record of ann about m1; `ann`: one without a value."""
    found = []
    for offset, word in enumerate(words.split()):
        user, _, merchant = word.partition(">")
        found.append(Record("labels", 0, offset, 0, user.encode(), merchant.encode() or None))
    return found


batches = st.lists(
    st.lists(st.sampled_from(("ann>m1", "ann>m2", "bob>m1", "bob>m2", "ann")), max_size=8).map(" ".join), max_size=6
)


@given(batches, st.booleans())
def test_fused_stages_answer_and_write_what_they_do_in_a_row(given_batches, restart):
    state: dict[str, bytes] = {}
    states: tuple[dict[str, bytes], dict[str, bytes]] = ({}, {})
    fused, row = opened(state), (Tally(), Total())
    for stage, own in zip(row, states, strict=True):
        stage.open(door(own))
    for words in given_batches:
        if restart:
            fused = opened(state)
        answers = list(fused.step(records(words)))
        messages: Sequence[Message] = row[0].step(records(words))
        wanted = list(row[1].step(unpack(pack(list(messages)))))
        assert answers == wanted
        merge(state, fused.take_writes())
        for stage, own in zip(row, states, strict=True):
            merge(own, stage.take_writes())
        assert state == states[0] | states[1]


def test_every_stage_reads_the_one_state_and_counts_into_the_one_group():
    group = Group()
    state = {"tally:ann": bytes([1]), "total:m1": bytes([5])}
    counts = JobMetrics(group)
    fused = Fused((Tally(), Total()))
    fused.open(Door(state.get, counts, SETTINGS, clock_us=lambda: 0, now_ms=lambda: 0))
    assert fused.step(records("ann>m1")) == [Output("decisions", b"ann", bytes([7]))]
    counts.flush()
    assert group.counts["events"] == 1


def test_writes_of_all_stages_are_handed_over_once():
    fused = opened({"total:m2": bytes([9])})
    fused.step(records("ann>m1 ann>m1 bob>m2 bob>m2"))
    assert fused.take_writes() == {
        "tally:ann": bytes([2]),
        "tally:bob": bytes([2]),
        "total:m1": bytes([2]),
        "total:m2": None,
    }
    assert fused.take_writes() == {}


def test_an_empty_batch_gives_nothing_and_changes_nothing():
    fused = opened({})
    assert list(fused.step([])) == []
    assert fused.take_writes() == {}


def test_a_fused_stage_is_a_last_one_named_after_all_it_holds():
    fused = opened({})
    assert fused.uid == "tally+total"
    with pytest.raises(TypeError, match=r"tally\+total is a last stage: nothing goes on from it"):
        fused.route(Verdict("m1", "ann", 1, "e"))


def test_the_error_of_a_stage_is_that_of_the_whole():
    with pytest.raises(ValueError, match="no such merchant"):
        opened({}).step(records("ann>m1 ann>broken"))


def test_all_stages_are_closed_once_the_last_first_though_one_can_not_be():
    log: list[str] = []
    fused = Fused((Held("a", log), Held("b", log, "close"), Held("c", log)))
    fused.open(door({}))
    log.clear()
    with pytest.raises(ValueError, match="b can not be closed"):
        fused.close()
    fused.close()
    assert log == ["close c", "close b", "close a"]


def test_only_what_was_opened_is_closed():
    log: list[str] = []
    fused = Fused((Held("a", log), Held("b", log, "open"), Held("c", log)))
    with pytest.raises(ValueError, match="b can not be opened"):
        fused.open(door({}))
    fused.close()
    assert log == ["open a", "close a"]

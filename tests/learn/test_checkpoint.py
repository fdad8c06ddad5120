"""A learner's private checkpoint: whole or not there, and never loaded unseen."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from learn_builders import NAMES, labelled

from online_learning.catalogue import LEARNERS, definition
from online_learning.checkpoint import VERSION, CheckpointFile
from online_learning.course import Course
from online_learning.definition import Definition
from online_learning.fingerprint import fingerprint
from online_learning.learners.adaptive_forest import AdaptiveForestLearner
from online_learning.learners.logistic import LogisticLearner
from online_learning.limits import Limits
from online_learning.loop import Loop, newest
from online_learning.merge import Held, Position, Record
from schemas import codec
from schemas.errors import LogGapError, OperatorError, SignatureError, StateVersionError
from schemas.events import DeadLetter, Event, Snapshot
from schemas.letters import MAX_LETTER_BYTES
from schemas.settings import Promotion, Settings
from schemas.topics import LABELLED_EXAMPLES
from schemas.units import DAY_MS
from schemas.watching import Alert

FEATURES = {"fraud-2": NAMES, "recommend-1": NAMES}


def _records(count: int, task: str = "fraud", feature_set: str = "fraud-2") -> list[Record]:
    return [
        Record(one.event_time_ms, 0, offset, one.user_id.encode(), codec.encode(one))
        for offset, one in enumerate(labelled(count, seed=4, task=task, feature_set=feature_set))
    ]


@pytest.mark.parametrize("one", LEARNERS, ids=lambda d: d.name)
def test_a_loop_that_is_stopped_and_loaded_tells_what_one_that_is_not_tells(one: Definition, tmp_path: Path) -> None:
    count = 2_400 if one.name == "fraud-logistic" else 1_100
    records = _records(count, one.task, one.feature_set)
    whole = Loop([one], FEATURES, tmp_path / "whole")
    whole.start([0])
    whole.caught_up()
    told = whole.take(records)
    again: list[Event] = []
    for at in range(0, count, 450):
        part = Loop([one], FEATURES, tmp_path / "parts")
        positions = part.start([0])
        if at == 0:
            part.caught_up()
        # Some records come again, as they do after a crash.
        from_ = max(0, positions[0].offset - 100)
        again += part.take(records[from_ : at + 450])
        part.students[0].file.path.parent.mkdir(exist_ok=True)
        part.save()
    assert [codec.encode(event) for event in again] == [codec.encode(event) for event in told]
    assert any(isinstance(event, Snapshot) for event in told)


def test_a_learner_that_starts_over_keeps_silent_until_it_has_caught_up(tmp_path: Path) -> None:
    loop = Loop([definition("fraud-logistic")], FEATURES, tmp_path)
    loop.start([0])
    assert loop.silent
    assert loop.take(_records(2_400)) == []
    (snapshot,) = loop.caught_up()
    assert isinstance(snapshot, Snapshot)
    assert snapshot.examples == 2_000
    assert not loop.silent


def test_garbage_is_told_of_and_passed(tmp_path: Path) -> None:
    loop = Loop([definition("fraud-logistic")], FEATURES, tmp_path)
    loop.start([0])
    (letter,) = loop.take([Record(5, 0, 0, b"k", b"{")])
    assert isinstance(letter, DeadLetter)
    assert (letter.reason, letter.raw, letter.key, letter.source.offset) == ("unreadable", b"{", b"k", 0)
    assert loop.students[0].positions == {0: Position(1, 5)}


def test_the_letter_of_an_oversized_record_is_one_that_the_broker_takes(tmp_path: Path) -> None:
    loop = Loop([definition("fraud-logistic")], FEATURES, tmp_path)
    loop.start([0])
    (letter,) = loop.take([Record(5, 0, 0, b"k", b"x" * 3_900_000)])
    assert isinstance(letter, DeadLetter)
    assert letter.raw_bytes == 3_900_000
    assert len(codec.encode(letter)) < MAX_LETTER_BYTES


def test_of_several_snapshots_at_once_only_the_newest_is_told() -> None:
    course = Course(definition("fraud-logistic"), NAMES)
    told = [event for one in labelled(3_300, seed=4) for event in course.take(one)]
    snapshots = [event for event in told if isinstance(event, Snapshot)]
    assert [one.examples for one in snapshots] == [1_000, 2_000, 3_000]
    assert [event for event in newest(told) if isinstance(event, Snapshot)] == snapshots[-1:]
    assert [event for event in newest(told) if isinstance(event, Alert)] == [e for e in told if isinstance(e, Alert)]


@pytest.fixture
def saved(tmp_path: Path) -> CheckpointFile:
    file = CheckpointFile(tmp_path, "fraud-logistic")
    file.save(Course(definition("fraud-logistic"), NAMES), {0: Position(7, 8)})
    return file


def test_what_was_saved_is_loaded_with_its_place_in_the_log(saved: CheckpointFile) -> None:
    found = saved.load(definition("fraud-logistic"), NAMES)
    assert found is not None
    assert found[1] == {0: Position(7, 8)}
    assert found[0].definition is definition("fraud-logistic")
    assert CheckpointFile(saved.path.parent, "fraud-tree").load(definition("fraud-tree"), NAMES) is None


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("loaded"),))


def test_bytes_that_are_not_those_that_were_written_are_never_unpickled(
    saved: CheckpointFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head, _, _ = saved.path.read_bytes().partition(b"\n")
    saved.path.write_bytes(head + b"\n" + pickle.dumps(_Evil()))
    with pytest.raises(SignatureError, match="another SHA-256 than it says; delete it, or"):
        saved.load(definition("fraud-logistic"), NAMES)
    assert not Path("loaded").exists()
    saved.path.write_bytes(b"rubbish")
    with pytest.raises(SignatureError, match="is not readable"):
        saved.load(definition("fraud-logistic"), NAMES)


def test_a_checkpoint_of_another_release_or_another_vector_is_refused(saved: CheckpointFile) -> None:
    with pytest.raises(StateVersionError, match="is of another vector than fraud-2"):
        saved.load(definition("fraud-logistic"), NAMES[:2])
    head, _, body = saved.path.read_bytes().partition(b"\n")
    older = msgspec.json.decode(head) | {"river": "0.1"}
    saved.path.write_bytes(msgspec.json.encode(older) + b"\n" + body)
    with pytest.raises(StateVersionError, match=rf"of River 0\.1, this release reads {VERSION} of"):
        saved.load(definition("fraud-logistic"), NAMES)


def test_a_checkpoint_whose_course_names_what_is_gone_is_refused_by_its_version(saved: CheckpointFile) -> None:
    # Version 2: clipping was a class of another file.
    body = b"conline_learning.validation\nClipping\n."
    head = msgspec.json.decode(saved.path.read_bytes().partition(b"\n")[0])
    older = head | {"version": 2, "sha256": hashlib.sha256(body).hexdigest()}
    saved.path.write_bytes(msgspec.json.encode(older) + b"\n" + body)
    with pytest.raises(StateVersionError, match=r"has version 2 of River .* `sluice learn fraud-logistic --from-b"):
        saved.load(definition("fraud-logistic"), NAMES)


def test_a_folder_that_can_not_be_written_is_named_with_the_setting(saved: CheckpointFile, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    course = Course(definition("fraud-logistic"), NAMES)
    there = CheckpointFile(tmp_path / "file", "fraud-logistic")
    told = r"file/fraud-logistic\.checkpoint: (Not a directory|File exists); .* `learn\.path` in the settings"
    with pytest.raises(OperatorError, match=told), there.owned():
        pass
    with pytest.raises(OperatorError, match=told):
        there.save(course, {})
    saved.path.unlink()
    saved.path.mkdir()
    with pytest.raises(OperatorError, match=r"checkpoint: Is a directory; "):
        saved.load(definition("fraud-logistic"), NAMES)


def _logistic(rate: float) -> Definition:
    def make(features: Sequence[str], _seed: int) -> LogisticLearner:
        return LogisticLearner(features, rate=rate, fading=0.001, l2=0.0, clip=5.0)

    return replace(definition("fraud-logistic"), make=make)


@pytest.mark.parametrize(
    "changed",
    [_logistic(0.02), replace(_logistic(0.01), detector="ddm"), replace(_logistic(0.01), replay=0.1)],
    ids=["rate", "detector", "replay"],
)
def test_a_checkpoint_of_another_definition_is_refused(saved: CheckpointFile, changed: Definition) -> None:
    assert saved.load(replace(_logistic(0.01), description="Other words."), NAMES) is not None
    with pytest.raises(StateVersionError, match=r"another definition of fraud-logistic .*--from-beginning"):
        saved.load(changed, NAMES)


def test_seeds_and_depths_are_part_of_a_fingerprint() -> None:
    def forest(features: Sequence[str], seed: int) -> AdaptiveForestLearner:
        return AdaptiveForestLearner(features, seed, trees=10, depth=6, answer="mc")

    one = definition("fraud-forest")
    prints = [fingerprint(other, NAMES) for other in (one, replace(one, seed=2), replace(one, make=forest))]
    assert len({*prints}) == 3


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = (
        "from online_learning.catalogue import LEARNERS; from online_learning.fingerprint import fingerprint; "
        f"print(*(fingerprint(one, {NAMES!r}) for one in LEARNERS))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    assert len({*found[0].split()}) == len(LEARNERS)


def test_a_learner_of_a_log_with_other_partitions_is_stopped_by_name(tmp_path: Path) -> None:
    loop = Loop([definition("fraud-logistic")], FEATURES, tmp_path)
    loop.start([0, 1])
    loop.save()
    Loop([definition("fraud-logistic")], FEATURES, tmp_path).start([0, 1])
    with pytest.raises(LogGapError, match=r"fraud-logistic learned from 2 partitions .* has 3 now; .*--from-beginning"):
        Loop([definition("fraud-logistic")], FEATURES, tmp_path).start([0, 1, 2])


def test_one_process_owns_a_learner_at_a_time(saved: CheckpointFile) -> None:
    with (
        saved.owned(),
        pytest.raises(OperatorError, match="fraud-logistic is learned by another process"),
        CheckpointFile(saved.path.parent, "fraud-logistic").owned(),
    ):
        pass
    with saved.owned():
        pass


@pytest.mark.parametrize(("held", "lost"), [((0, 9), False), ((5, 5), False), ((6, 9), True), ((0, 4), True)], ids=str)
def test_a_learner_whose_next_record_is_not_in_the_log_is_stopped_by_name(
    tmp_path: Path, held: tuple[int, int], lost: bool
) -> None:
    loop = Loop([definition("fraud-logistic")], {"fraud-2": NAMES}, tmp_path)
    loop.students[0].positions = {0: Position(5, 1)}
    spans = {0: Held(*held), 1: Held(7, 9)}
    if lost:
        with pytest.raises(LogGapError, match=r"fraud-logistic goes on at offset 5 of partition 0 .*--from-beginning"):
            loop.start([0, 1], spans)
    else:
        # A partition that it never read begins with what is there.
        assert loop.start([0, 1], spans) == {0: Position(5, 1), 1: Position()}


def test_examples_stay_in_the_log_as_long_as_the_decisions_that_they_are_about() -> None:
    assert LABELLED_EXAMPLES.retention_ms == Settings().cassandra.decision_days * DAY_MS


def test_a_restart_judges_by_the_settings_of_now(tmp_path: Path) -> None:
    Loop([definition("fraud-logistic")], FEATURES, tmp_path).save()
    limits = Limits(user_per_hour=5)
    again = Loop([definition("fraud-logistic")], FEATURES, tmp_path, promotion=Promotion(least_gain=0.5), limits=limits)
    assert again.courses[0].challenge._policy.least_gain == 0.5
    assert again.courses[0]._meter._limits == limits


def test_a_learner_that_learned_by_other_limits_says_so_at_each_start(tmp_path: Path) -> None:
    def start(limits: Limits, records: Sequence[Record] = ()) -> list[str]:
        loop = Loop([definition("fraud-logistic")], FEATURES, tmp_path, limits=limits)
        loop.take(records)
        loop.save()
        return loop.relimited

    # Nothing was learned by the first ones.
    assert start(Limits(user_per_hour=4)) == []
    assert start(Limits(user_per_hour=5), _records(50)) == []
    assert start(Limits(user_per_hour=5)) == []
    assert start(Limits(user_per_hour=6)) == ["fraud-logistic"]
    # A part of the model stays what it is.
    assert start(Limits(user_per_hour=5)) == ["fraud-logistic"]
    assert Loop([definition("fraud-logistic")], FEATURES, tmp_path, afresh=True).relimited == []

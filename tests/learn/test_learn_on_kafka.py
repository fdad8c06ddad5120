"""The learning process on a broker of its own: killed in the middle, it ends with the model of a run that was not.

And labels that somebody flipped: a person hears that they are held back, and that it is over.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from alert_stack import somebody_told, until
from confluent_kafka import OFFSET_END, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from learn_builders import labelled

from infra import stack, topics
from infra.topic_reader import read
from online_learning.catalogue import FRAUD_WITHOUT
from schemas import codec
from schemas.events import DeadLetter, LabelledExample, Snapshot
from schemas.settings import Learn, Ports, Settings, Stack
from schemas.snapshots import unpack
from schemas.topics import (
    AGGREGATES,
    ALERTS,
    ANOMALIES,
    CONTROL,
    DEAD_LETTERS,
    DRIFT_REPORTS,
    LABELLED_EXAMPLES,
    SNAPSHOTS,
)
from serving.features.catalogue import NAMES
from serving.online.scorer import scorer

pytestmark = pytest.mark.stack
BASE_PORT = 22500
EXAMPLES = 7_000
LEARNER = "fraud-logistic"
WAIT_S = 120
TOPICS = (LABELLED_EXAMPLES, SNAPSHOTS, DRIFT_REPORTS, ALERTS, DEAD_LETTERS, ANOMALIES, AGGREGATES, CONTROL)
# Fraud shows in a few features, so that the learner is soon sure; then every fifth label is the wrong one, for half a
# minute of event time, and then none is for three: so long a quarantine waits for more of them.
FEW = [place for place, name in enumerate(NAMES) if name not in FRAUD_WITHOUT][:6]
FLIPPED, FLIPPED_SHARE, LABELLED = range(5_000, 5_600), 0.2, 10_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker with the topics of learning, and labelled examples in four partitions, one of them garbage."""
    home = tmp_path_factory.mktemp("learn")
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    ports = Ports(**{name: BASE_PORT + 10 * number for number, name in enumerate(Ports.__struct_fields__)})
    settings = Settings(stack=Stack(home=str(home), ports=ports))
    stack.start_part(settings, "kafka")
    topics.create(settings, TOPICS)
    _publish(settings, 0, EXAMPLES)
    yield settings
    stack.stop_part(settings, "kafka")


def _publish(settings: Settings, first: int, behind: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, "linger.ms": 5, "log_level": 0})
    for number, example in enumerate(labelled(behind, seed=3, positives=0.1, names=NAMES)):
        if number < first:
            continue
        raw = codec.encode(example) if number != 17 else b"garbage"
        producer.produce(LABELLED_EXAMPLES.name, raw, example.user_id.encode())
        producer.poll(0)
        if number % 1_000 == 0:
            producer.flush()
    assert producer.flush(60) == 0


def _settings_file(settings: Settings, folder: Path, checkpoint_ms: int) -> Path:
    """The same broker; checkpoints in the folder. TOML strings are JSON strings."""
    ports = "\n".join(f"{name} = {getattr(settings.stack.ports, name)}" for name in Ports.__struct_fields__)
    file = folder / "sluice.toml"
    file.write_text(
        f'[stack]\nhome = "{settings.stack.home}"\n[stack.ports]\n{ports}\n'
        f'[learn]\npath = "{folder}"\nport = {BASE_PORT + 900}\ncheckpoint_ms = {checkpoint_ms}\n'
    )
    assert Settings().learn != Learn(path=str(folder))
    return file


def _learn(file: Path, *options: str) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        "-c",
        "from infra.cli import main; main()",
        "--settings",
        str(file),
        "learn",
        LEARNER,
        *options,
    ]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _ended(process: subprocess.Popen[bytes]) -> bytes:
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err.decode()
    return out


def _newest(settings: Settings) -> Snapshot:
    return [codec.decode(Snapshot, record.value) for record in read(settings.kafka, SNAPSHOTS.name)][-1]


def test_killed_and_resumed_it_ends_with_the_model_of_a_run_that_was_not(kafka: Settings, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    out = _ended(_learn(_settings_file(kafka, whole, 60_000), "--to-end", "--json"))
    figures = msgspec.json.decode(out.splitlines()[-1])[LEARNER]
    assert figures["counts"]["examples"] == EXAMPLES - 1
    uninterrupted = _newest(kafka)
    assert uninterrupted.examples == figures["learned"] // 1_000 * 1_000

    file = _settings_file(kafka, killed, 20)
    checkpoint = killed / f"{LEARNER}.checkpoint"
    kills = 0
    for _ in range(2):
        before = checkpoint.read_bytes() if checkpoint.exists() else b""
        process = _learn(file)
        until(
            lambda seen=before: checkpoint.exists() and checkpoint.read_bytes() != seen,  # type: ignore[misc]  # mypy infers no default
            "a checkpoint is written",
            WAIT_S,
        )
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=WAIT_S)
        kills += process.returncode == -signal.SIGKILL
    assert kills == 2
    _ended(_learn(file, "--to-end"))
    resumed = _newest(kafka)
    assert (resumed.examples, resumed.sha256) == (uninterrupted.examples, uninterrupted.sha256)

    _ended(_learn(file, "--from-beginning", "--to-end"))
    assert _newest(kafka).sha256 == uninterrupted.sha256


def test_what_stands_on_the_topic_is_plain_data_that_scores_a_vector(kafka: Settings) -> None:
    newest = _newest(kafka)
    assert hashlib.sha256(bytes(newest.payload)).hexdigest() == newest.sha256
    ready = scorer(unpack(newest), NAMES)
    fraud, good = ([0.0] * len(NAMES) for _ in range(2))
    fraud[0], fraud[1] = 4.0, -3.0
    assert ready.score(fraud) > 0.5 > ready.score(good)


def test_garbage_is_a_dead_letter(kafka: Settings) -> None:
    letters = [codec.decode(DeadLetter, record.value) for record in read(kafka.kafka, DEAD_LETTERS.name)]
    assert {letter.raw for letter in letters} == {b"garbage"}
    assert {(letter.job, letter.reason) for letter in letters} == {("learn", "unreadable")}
    assert len({letter.event_id for letter in letters}) == 1


def test_a_learner_that_is_learned_already_is_refused_and_a_request_to_end_is_obeyed(
    kafka: Settings, tmp_path: Path
) -> None:
    file = _settings_file(kafka, tmp_path, 50)
    first = _learn(file)
    until((tmp_path / f"{LEARNER}.checkpoint").exists, "a checkpoint is written", WAIT_S)
    second = _learn(file, "--to-end")
    _, said = second.communicate(timeout=WAIT_S)
    assert second.returncode == 1
    assert f"sluice: {LEARNER} is learned by another process" in said.decode()
    first.terminate()
    assert b"examples learned" in _ended(first)


def _poisoned() -> list[LabelledExample]:
    def flipped(number: int, rng: random.Random) -> bool:
        return number in FLIPPED and rng.random() < FLIPPED_SHARE

    made = []
    for example in labelled(LABELLED, seed=2, positives=0.03, flipped=flipped):
        features = [0.0] * len(NAMES)
        for place, value in zip(FEW, example.features, strict=True):
            features[place] = value
        made.append(msgspec.structs.replace(example, features=features))
    return made


def _forget(settings: Settings) -> None:
    """Delete all labelled examples, as retention would."""
    numbers = range(LABELLED_EXAMPLES.partitions)
    ends = [TopicPartition(LABELLED_EXAMPLES.name, number, OFFSET_END) for number in numbers]
    client = AdminClient({"bootstrap.servers": settings.kafka.bootstrap})
    for deleted in client.delete_records(ends).values():
        deleted.result(timeout=30)


def _publish_in_order(settings: Settings, examples: Iterable[LabelledExample]) -> None:
    """On one partition, so that the learner sees them in this order."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap, "linger.ms": 5, "log_level": 0})
    for example in examples:
        producer.produce(LABELLED_EXAMPLES.name, codec.encode(example), example.user_id.encode(), partition=0)
        producer.poll(0)
    assert producer.flush(60) == 0


# The last one, for what the others learn from is gone then.
def test_a_person_hears_of_flipped_labels_and_that_they_were_not_learned(kafka: Settings, tmp_path: Path) -> None:
    examples = _poisoned()
    _forget(kafka)
    before = sum(1 for _ in read(kafka.kafka, SNAPSHOTS.name))
    with somebody_told(kafka, tmp_path) as receiver:
        learning = _learn(_settings_file(kafka, tmp_path, 1_000))
        try:
            _publish_in_order(kafka, examples[: FLIPPED.start])
            # What was there when it started it would learn in silence.
            until(lambda: sum(1 for _ in read(kafka.kafka, SNAPSHOTS.name)) > before, "a snapshot is published", WAIT_S)
            _publish_in_order(kafka, examples[FLIPPED.start : FLIPPED.stop])
            (raised,) = until(lambda: receiver.notices("LabelsContradict", "firing"), "the person hears of the labels")
            assert raised["labels"] == {"learner": LEARNER}
            _publish_in_order(kafka, examples[FLIPPED.stop :])
            (over,) = until(lambda: receiver.notices("LabelsContradict", "resolved"), "the person hears of the end")
            assert "did not prove to be a change and were not learned" in over["summary"]
        finally:
            learning.terminate()
            _ended(learning)

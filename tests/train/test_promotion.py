"""The way into Production: the gate, the hash, the control topic, the stage file, and what a failure leaves."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from example_builders import START_MS, add, files, metrics, onnx

from infra import control_topic, publish
from infra.cli import models
from infra.force import Force
from infra.promotion import promote, roll_back, shadow_record
from schemas import codec, control
from schemas.control import Audit, ModelPointer
from schemas.errors import GateError, InputError, MissingPartError, NotFoundError, SignatureError
from schemas.events import ControlRecord
from schemas.models import Promotion
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Settings
from schemas.units import MINUTE_MS
from serving.control import Control
from serving.gate import judge
from serving.model import load
from serving.registry import Registry


class Topic:
    """A control topic that can be down."""

    def __init__(self) -> None:
        self.records = []
        self.down = False

    def __call__(self, records) -> None:
        if self.down:
            raise MissingPartError("no Kafka broker answers")
        self.records += records


@pytest.fixture(scope="module")
def model() -> bytes:
    return onnx()


@pytest.fixture
def registry(tmp_path) -> Registry:
    return Registry(tmp_path)


@pytest.fixture
def topic() -> Topic:
    return Topic()


def _enter(registry, topic, version, stage="Production", note="", name="fraud", **by_hand):
    wanted = Promotion(version, stage, START_MS + int(version), "tester", note)
    return promote(registry, topic, name, wanted, Force(**by_hand))


def _champion_of(topic: Topic, registry: Registry) -> str:
    """The model a job scores with after it read the topic."""
    state = Control(lambda pointer: load(pointer, registry.root))
    for record in topic.records:
        state.apply(record)
    assert state.model is not None
    return state.model.label


@pytest.mark.parametrize(
    ("new", "answer"),
    [(0.5101, "pass"), (0.5099, "ask"), (0.505, "ask"), (0.5, "ask"), (0.4999, "refuse"), (0.1, "refuse")],
)
def test_the_gate_passes_above_two_percent_asks_below_and_refuses_a_loss(new, answer):
    champion = metrics(average_precision=0.5, recall=0.5)
    assert judge(metrics(average_precision=new, recall=0.9), champion).answer == answer
    assert judge(metrics(average_precision=0.9, recall=new), champion).answer == answer


def test_the_first_model_needs_to_be_better_than_chance():
    assert judge(metrics(roc_auc=0.501), None).answer == "pass"
    assert judge(metrics(roc_auc=0.5), None).answer == "refuse"


def test_a_champion_that_caught_nothing_is_beaten_by_anything_that_does():
    assert judge(metrics(recall=0.1), metrics(recall=0.0, average_precision=0.1)).answer == "pass"
    assert judge(metrics(recall=0.0), metrics(recall=0.0)).answer == "ask"


def test_promotion_publishes_a_pointer_that_a_job_loads_and_an_audit_record(registry, topic, model):
    add(registry, model=model)
    _enter(registry, topic, "1", note="first")
    assert _champion_of(topic, registry) == "fraud@1"
    pointer, audit = (control.payload(record) for record in topic.records)
    assert isinstance(pointer, ModelPointer)
    assert audit == Audit("promote", {"model": "fraud", "version": "1", "stage": "Production"})
    assert {(record.author, record.note) for record in topic.records} == {("tester", "first")}


def test_a_small_gain_waits_for_a_person(registry, topic, model):
    for precision in (0.5, 0.505):
        add(registry, metrics(average_precision=precision), model)
    _enter(registry, topic, "1")
    with pytest.raises(GateError, match=r"average precision \+1.0%.*--yes"):
        _enter(registry, topic, "2")
    assert registry.champion("fraud") == "1"
    _enter(registry, topic, "2", yes=True)
    assert registry.champion("fraud") == "2"


def test_a_loss_is_refused_unless_forced_with_a_note(registry, topic, model):
    for precision in (0.5, 0.4):
        add(registry, metrics(average_precision=precision), model)
    _enter(registry, topic, "1")
    before = files(registry.root), len(topic.records)
    for by_hand in ({}, {"yes": True}):
        with pytest.raises(GateError, match=r"-20.0%.*--force and a --note"):
            _enter(registry, topic, "2", **by_hand)
    with pytest.raises(InputError, match="--note"):
        _enter(registry, topic, "2", force=True)
    assert (files(registry.root), len(topic.records)) == before
    _enter(registry, topic, "2", force=True, note="the old one leaks")
    assert registry.champion("fraud") == "2"


def test_without_kafka_nothing_changes(registry, topic, model):
    add(registry, model=model)
    before = files(registry.root)
    topic.down = True
    with pytest.raises(MissingPartError):
        _enter(registry, topic, "1")
    assert files(registry.root) == before
    topic.down = False
    _enter(registry, topic, "1")
    assert registry.champion("fraud") == "1"


def test_a_crash_between_topic_and_stage_file_is_mended_by_the_same_command(registry, topic, model, monkeypatch):
    for precision in (0.5, 0.9):
        add(registry, metrics(average_precision=precision, recall=precision), model)
    _enter(registry, topic, "1")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "_write_stages", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _enter(registry, topic, "2")
    assert (registry.champion("fraud"), _champion_of(topic, registry)) == ("1", "fraud@2")
    _enter(registry, topic, "2")
    assert (registry.champion("fraud"), _champion_of(topic, registry)) == ("2", "fraud@2")
    assert registry.predecessor("fraud") == "1"


def test_a_damaged_artifact_is_not_announced(registry, topic, model):
    add(registry, model=model)
    (registry.root / "fraud" / "1" / "model.onnx").write_bytes(b"")
    with pytest.raises(SignatureError):
        _enter(registry, topic, "1")
    assert topic.records == []
    assert registry.champion("fraud") is None


def test_a_candidate_does_not_take_the_champions_place_on_the_topic(registry, topic, model):
    for _ in range(2):
        add(registry, model=model)
    _enter(registry, topic, "1")
    _enter(registry, topic, "2", stage="Candidate")
    assert _champion_of(topic, registry) == "fraud@1"
    assert registry.stages("fraud").stages == {"1": "Production", "2": "Candidate"}


def test_what_the_registry_refuses_is_not_announced(registry, topic, model):
    add(registry, model=model)
    _enter(registry, topic, "1")
    told = list(topic.records)
    with pytest.raises(GateError, match="fraud@1 is in Production; promote another version in its place first"):
        _enter(registry, topic, "1", stage="Archived")
    assert topic.records == told


def test_promoting_the_champion_again_changes_nothing_but_the_story(registry, topic, model):
    add(registry, model=model)
    _enter(registry, topic, "1")
    _enter(registry, topic, "1")
    assert registry.stages("fraud").champions == ["1"]


def test_a_model_for_another_task_goes_by_hand_and_leaves_the_fraud_champion(registry, topic, model):
    add(registry, model=model)
    add(registry, model=model, name="ranker", task="ranking")
    _enter(registry, topic, "1")
    with pytest.raises(GateError, match="ranker@1: no gate judges models for ranking, or override with --force"):
        _enter(registry, topic, "1", name="ranker")
    with pytest.raises(InputError, match="--note"):
        _enter(registry, topic, "1", name="ranker", force=True)
    _enter(registry, topic, "1", name="ranker", force=True, note="measured elsewhere")
    pointer = control.payload(topic.records[-2])
    assert (pointer.name, pointer.task) == ("ranker", "ranking")
    assert _champion_of(topic, registry) == "fraud@1"


def test_a_damaged_artifact_for_another_task_is_not_announced(registry, topic, model):
    add(registry, model=model, name="ranker", task="ranking")
    (registry.root / "ranker" / "1" / "model.onnx").write_bytes(b"")
    with pytest.raises(SignatureError, match="differs"):
        _enter(registry, topic, "1", name="ranker", force=True, note="x")
    assert topic.records == []


def test_a_name_keeps_its_task(registry, topic, model):
    add(registry, model=model)
    add(registry, model=model, task="ranking")
    _enter(registry, topic, "1")
    with pytest.raises(InputError, match="fraud@2 is for ranking, fraud@1 for fraud; register it under another name"):
        _enter(registry, topic, "2", force=True, note="x")
    assert registry.champion("fraud") == "1"


def test_a_pointer_that_lies_about_the_task_is_refused(registry, model):
    add(registry, model=model, name="ranker", task="ranking")
    pointer = registry.pointer("ranker", "1", "Production")
    with pytest.raises(SignatureError, match="ranker@1 is for ranking, not for fraud"):
        load(pointer, registry.root)
    with pytest.raises(SignatureError, match="ranker@1 is for ranking, its pointer says fraud"):
        load(msgspec.structs.replace(pointer, task="fraud"), registry.root)


def test_the_list_shows_each_models_task_and_the_thresholds_are_refused_to_a_ranker(registry, model):
    add(registry, model=model)
    add(registry, model=model, name="ranker", task="ranking")
    (registry.root / "ranker" / "1" / "metrics.json").write_bytes(b'{"ndcg": 0.4}')
    settings = Settings(registry=SettingsRegistry(str(registry.root)))
    listed = CliRunner().invoke(models.command, ["list"], obj=settings, catch_exceptions=False).stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["fraud@1", "fraud"], ["ranker@1", "ranking"]]
    refused = CliRunner().invoke(models.command, ["thresholds", "ranker"], obj=settings)
    assert str(refused.exception) == "ranker@1 is for ranking; thresholds are those of a model for fraud"


def test_rollback_points_the_jobs_at_the_version_before(registry, topic, model):
    for precision in (0.5, 0.9):
        add(registry, metrics(average_precision=precision, recall=precision), model)
    _enter(registry, topic, "1")
    _enter(registry, topic, "2")
    assert roll_back(registry, topic, "fraud", author="tester", at_ms=START_MS, note="worse") == "1"
    assert (registry.champion("fraud"), _champion_of(topic, registry)) == ("1", "fraud@1")
    with pytest.raises(NotFoundError, match="no earlier"):
        roll_back(registry, topic, "fraud", author="tester", at_ms=START_MS, note="")


def _job(topic: Topic, registry: Registry) -> Control:
    """What a job knows after it read the compacted topic."""
    state = Control(lambda pointer: load(pointer, registry.root))
    for record in topic.records:
        state.apply(codec.decode(ControlRecord, codec.encode(record)))
    return state


def _two(registry, topic, model) -> None:
    """A champion, and a better version."""
    for precision in (0.5, 0.9):
        add(registry, metrics(average_precision=precision, recall=precision), model)
    _enter(registry, topic, "1")


def test_a_shadow_stands_beside_the_champion_under_a_record_of_its_own_with_an_audit_record(registry, topic, model):
    _two(registry, topic, model)
    _enter(registry, topic, "2", stage="Shadow", note="to see it")
    job = _job(topic, registry)
    assert (job.model.label, job.shadow.label) == ("fraud@1", "fraud@2")
    pointer, audit = topic.records[-2:]
    assert (pointer.kind, pointer.name) == ("model", "fraud.shadow")
    assert control.payload(audit) == Audit("promote", {"model": "fraud", "version": "2", "stage": "Shadow"})
    assert (registry.champion("fraud"), registry.shadow("fraud")) == ("1", "2")
    assert registry.stages("fraud").stages == {"1": "Production", "2": "Shadow"}


def test_no_model_can_have_the_name_of_a_shadows_record(registry):
    with pytest.raises(InputError, match="is no model name"):
        registry.versions(shadow_record("fraud"))


def test_another_shadow_takes_the_place_of_the_one_before_which_goes_back_to_staging(registry, topic, model):
    _two(registry, topic, model)
    add(registry, model=model)
    _enter(registry, topic, "2", stage="Shadow")
    _enter(registry, topic, "3", stage="Shadow")
    assert _job(topic, registry).shadow.label == "fraud@3"
    assert registry.stages("fraud").stages == {"1": "Production", "2": "Staging", "3": "Shadow"}


@pytest.mark.parametrize("stage", ["Production", "Archived", "Staging", "Candidate"])
def test_a_shadow_that_enters_another_stage_is_no_shadow_any_more_and_its_hours_are_told(registry, topic, model, stage):
    _two(registry, topic, model)
    promote(registry, topic, "fraud", Promotion("2", "Shadow", START_MS, "tester"), Force())
    promote(registry, topic, "fraud", Promotion("2", stage, START_MS + 90 * MINUTE_MS, "tester"), Force())
    job = _job(topic, registry)
    assert job.shadow is None
    assert job.model.label == ("fraud@2" if stage == "Production" else "fraud@1")
    assert registry.shadow("fraud") is None
    assert registry.stages("fraud").stages["2"] == stage
    assert control.payload(topic.records[-1]).detail["shadow_hours"] == "1.5"


def test_a_rollback_to_the_version_that_is_the_shadow_ends_the_shadow(registry, topic, model):
    _two(registry, topic, model)
    _enter(registry, topic, "2")
    _enter(registry, topic, "1", stage="Shadow")
    roll_back(registry, topic, "fraud", author="tester", at_ms=START_MS, note="")
    job = _job(topic, registry)
    assert (job.model.label, job.shadow, registry.shadow("fraud")) == ("fraud@1", None, None)


def test_another_version_in_production_leaves_the_shadow(registry, topic, model):
    _two(registry, topic, model)
    add(registry, metrics(average_precision=0.9, recall=0.9), model)
    _enter(registry, topic, "3", stage="Shadow")
    _enter(registry, topic, "2")
    job = _job(topic, registry)
    assert (job.model.label, job.shadow.label, registry.shadow("fraud")) == ("fraud@2", "fraud@3", "3")


def test_the_champion_a_damaged_version_and_a_model_for_another_task_can_be_no_shadow(registry, topic, model):
    _two(registry, topic, model)
    add(registry, model=model, name="ranker", task="ranking")
    (registry.root / "fraud" / "2" / "model.onnx").write_bytes(b"")
    told, before = list(topic.records), files(registry.root)
    with pytest.raises(GateError, match="fraud@1 is in Production; promote another version in its place first"):
        _enter(registry, topic, "1", stage="Shadow")
    with pytest.raises(SignatureError, match="differs"):
        _enter(registry, topic, "2", stage="Shadow")
    with pytest.raises(InputError, match="ranker@1 is for ranking; only models for fraud can be shadows"):
        _enter(registry, topic, "1", stage="Shadow", name="ranker")
    assert (topic.records, files(registry.root)) == (told, before)


def test_the_command_makes_a_shadow_says_its_hours_at_promotion_and_ends_it(registry, topic, model, monkeypatch):
    _two(registry, topic, model)
    settings, now = Settings(registry=SettingsRegistry(str(registry.root))), [START_MS]
    monkeypatch.setattr(control_topic, "send", lambda _, records: topic(records))
    monkeypatch.setattr("infra.wall_clock.now_ms", lambda: now[0])

    def run(*words: str):
        return CliRunner().invoke(models.command, words, obj=settings)

    assert str(run("shadow", "fraud", "--off").exception) == (
        "fraud has no shadow; make one with `sluice models shadow fraud VERSION`"
    )
    assert str(run("shadow", "fraud").exception) == "give a version, or --off to end the shadow"
    assert run("shadow", "fraud", "2").output == "fraud@2 is the shadow\n"
    assert run("shadow", "fraud", "--off").output == "fraud@2 is in Staging, no shadow any more\n"
    assert _job(topic, registry).shadow is None
    run("shadow", "fraud", "2")
    now[0] += 25 * 60 * MINUTE_MS
    assert "it was the shadow for 25.0 h" in run("promote", "fraud", "2").output


def test_an_unknown_version_is_named_and_makes_no_folder(registry, topic):
    with pytest.raises(NotFoundError, match="no model fraud@7"):
        _enter(registry, topic, "7")
    assert not (registry.root / "fraud").exists()


@pytest.mark.parametrize(
    "words", [("promote", "fraud", "3"), ("promote", "fraud", "3", "--stage", "Candidate"), ("rollback", "fraud")]
)
def test_a_note_that_no_job_would_take_is_refused_and_nothing_changes(registry, topic, model, monkeypatch, words):
    for precision in (0.5, 0.7, 0.9):
        add(registry, metrics(average_precision=precision, recall=precision), model)
    _enter(registry, topic, "1")
    _enter(registry, topic, "2")
    before = files(registry.root)
    monkeypatch.setattr(publish, "connect", lambda _: pytest.fail("something is published"))
    settings = Settings(registry=SettingsRegistry(str(registry.root)))
    with pytest.raises(InputError, match=r"fraud.* can not be published, .*<= 1000 - at `\$\.note`") as caught:
        CliRunner().invoke(models.command, [*words, "--note", "x" * 1001], obj=settings, catch_exceptions=False)
    assert "\n" not in str(caught.value)
    assert files(registry.root) == before

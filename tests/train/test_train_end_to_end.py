"""From generated history to a registered model that a job can load, by the command, twice the same."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from example_builders import files

from infra.cli import evaluate, models, train, train_recommend
from infra.generator.payments.config import Config
from infra.generator.payments.stream import events
from jobs.evaluate_fraud.evaluate import PARAMETERS as HANDBOOK
from jobs.train_fraud.parameters import Parameters, read, shipped
from schemas.errors import InputError, MappingError, MissingPartError, NotFoundError, SettingsError
from schemas.models import Reference
from schemas.settings import Kafka, Registry, Settings
from serving.features.catalogue import NAMES
from serving.history import log_file
from serving.model import load
from serving.registry import Registry as Models

TREES = "n_estimators = 40\nmax_depth = 5\n"


def _run(settings: Settings, group, *words: str):
    found = CliRunner().invoke(group.command, words, obj=settings, catch_exceptions=True)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    file = tmp_path_factory.mktemp("history") / "history.parquet"
    config = Config(seed=3, users=150, merchants=100, days=45, fraud_share=0.03, drain_labels=True)
    assert log_file.write(file, events(config)) > 20_000
    return file


@pytest.fixture(scope="module")
def trained(history, tmp_path_factory):
    """Two runs of the same command in one registry, and the settings that name it."""
    root = tmp_path_factory.mktemp("registry")
    # A port that nobody answers on: what needs Kafka must say so.
    settings = Settings(kafka=Kafka(bootstrap="127.0.0.1:9"), registry=Registry(str(root)))
    trees = root.parent / "trees.toml"
    trees.write_text(TREES)
    words = ("fraud", "--history", str(history), "--delay-days", "10", "--parameters", str(trees), "--json")
    outputs = [_run(settings, train, *words).stdout for _ in range(2)]
    return settings, outputs


def test_the_model_finds_later_frauds_and_is_ready_to_serve(trained):
    settings, outputs = trained
    figures = json.loads(outputs[0].splitlines()[-1])
    assert figures["name"] == "fraud"
    assert figures["version"] == "1"
    assert figures["roc_auc"] > 0.8
    assert figures["average_precision"] > 10 * figures["frauds"] / figures["rows"]
    assert figures["calibration_error"] < 0.03
    registry = Models(Path(settings.registry.path))
    model = load(registry.pointer("fraud", "1", "Production"), registry.root)
    scores = model.score(np.zeros((3, len(NAMES))))
    assert np.all((scores >= 0) & (scores <= 1))


def test_the_same_history_gives_the_same_model(trained):
    settings, _ = trained
    registry = Models(Path(settings.registry.path))
    one, two = (files(registry.root / "fraud" / version) for version in ("1", "2"))
    for name in ("model.onnx", "metrics.json", "reference.json"):
        assert one[name] == two[name]


def test_the_version_holds_its_card_and_the_distributions_drift_is_measured_against(trained):
    settings, _ = trained
    registry = Models(Path(settings.registry.path))
    card = registry.card("fraud", "1")
    for heading in ("Details", "Intended use", "Data", "Performance", "Ethics", "Caveats"):
        assert f"## {heading}" in card
    stored = files(registry.root / "fraud" / "1")
    assert sorted(stored) == ["card.md", "metrics.json", "model.onnx", "reference.json", "signature.json"]
    reference = msgspec.json.decode(stored["reference.json"], type=Reference)
    assert reference.rows == registry.signature("fraud", "1").training_rows
    assert list(reference.features) == Parameters().inputs
    for found in [*reference.features.values(), reference.score]:
        assert len(found.shares) == len(found.edges) + 1 <= 10
        assert sum(found.shares) == pytest.approx(1.0)
        assert found.edges == sorted(set(found.edges))


def test_the_commands_show_what_was_trained(trained):
    settings, _ = trained
    assert "fraud@2" in _run(settings, models, "list").stdout
    assert "Staging by" in _run(settings, models, "show", "fraud").stdout
    table = _run(settings, models, "thresholds", "fraud", "--json").stdout.splitlines()
    assert [line.split()[0] for line in table[1:5]] == ["0.95", "0.9", "0.85", "0.8"]
    best = json.loads(table[-1])
    assert best["cost"] <= best["present_cost"]
    assert best["review_share"] <= 0.01


def test_promotion_without_kafka_is_one_line_and_changes_nothing(trained, monkeypatch):
    settings, _ = trained
    monkeypatch.setattr("infra.publish.CONNECT_TIMEOUT_S", 0.5)
    before = files(Models(Path(settings.registry.path)).root)
    with pytest.raises(MissingPartError, match=r"no Kafka broker answers at 127\.0\.0\.1:9"):
        _run(settings, models, "promote", "fraud", "1")
    assert files(Models(Path(settings.registry.path)).root) == before


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (("--history", "nothing.csv"), InputError, "--mapping"),
        (("--history", "nothing.csv", "--mapping", "fraud-handbook"), MappingError, "nothing.csv"),
        (("--history", "nothing.jsonl"), MappingError, "nothing.jsonl"),
        (("--parameters", "nothing.toml"), SettingsError, "nothing.toml"),
        (("--train-from", "2025-01-01"), InputError, "--train-to"),
        (("--train-from", "soon", "--train-to", "2025-01-01"), InputError, "'soon' is no time"),
        (("--users", "10", "--days", "20"), InputError, "too short"),
        (
            (
                "--users",
                "3",
            ),
            InputError,
            "users is 3",
        ),
    ],
)
def test_bad_input_is_named_and_leaves_no_model(words, error, says, tmp_path):
    settings = Settings(registry=Registry(str(tmp_path / "registry")))
    with pytest.raises(error, match=says):
        _run(settings, train, "fraud", *words)
    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize("words", [("fraud",), ("recommend", "--log", "history.jsonl")])
def test_a_registry_that_can_not_be_written_is_said_before_history_is_read(words, tmp_path, monkeypatch):
    def read(*_args):
        raise AssertionError("history was read")

    monkeypatch.setattr(train, "events_of", read)
    monkeypatch.setattr(train_recommend, "_history", read)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"file can not be written; set \[registry\] path"):
        _run(Settings(registry=Registry(str(tmp_path / "file" / "registry"))), train, *words)


@pytest.mark.parametrize(
    "text", ["depth = 3", "max_depth = 99", 'features = ["no_such"]', 'features = ["amount", "amount"]', "max_depth ="]
)
def test_bad_parameters_are_refused_with_the_name_of_the_file(text, tmp_path):
    (tmp_path / "trees.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"trees\.toml"):
        _run(Settings(), train, "fraud", "--parameters", str(tmp_path / "trees.toml"))


def test_every_shipped_parameter_file_can_be_read():
    assert shipped() == ["light"]
    assert read(Path("light")).n_estimators == 150
    assert read(HANDBOOK).features
    assert read(None) == Parameters()


def test_the_date_is_learned_only_when_it_is_named():
    assert Parameters().inputs == [name for name in NAMES if name not in {"day_of_month", "month"}]
    assert Parameters(features=["month", "amount"]).inputs == ["amount", "month"]


def test_an_unknown_model_is_named(tmp_path):
    settings = Settings(registry=Registry(str(tmp_path)))
    assert "no models" in _run(settings, models, "list").stdout
    for words in (("show", "fraud"), ("thresholds", "fraud"), ("promote", "fraud", "1"), ("rollback", "fraud")):
        with pytest.raises(NotFoundError):
            _run(settings, models, *words)


def test_evaluation_of_another_file_is_refused(history):
    with pytest.raises(MappingError, match="no column"):
        _run(Settings(), evaluate, "fraud", "--data", str(history))

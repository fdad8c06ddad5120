"""`sluice train recommend` holds the last part of the history out, and measures the champion on it, too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from recommend_builders import catalogue, history

from infra.cli import models, train_recommend
from schemas.models import Promotion
from schemas.recommend_models import RecommendMetrics
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Settings
from serving.gate import judge_recommender
from serving.history import log_file
from serving.registry import Registry


@pytest.fixture
def train(tmp_path: Path):
    log, parameters = tmp_path / "log.jsonl", tmp_path / "small.toml"
    log_file.write(log, [*catalogue(60), *history(5, 40, 60, 1500)])
    parameters.write_text("splits = 1\n[embeddings]\ndimension = 4\nrounds = 3\n[trees]\ncount = 2\n")
    settings = Settings(registry=SettingsRegistry(str(tmp_path / "registry")))

    def train() -> tuple[dict, str]:
        words = ["--log", str(log), "--parameters", str(parameters), "--json"]
        done = CliRunner().invoke(train_recommend.command, words, obj=settings, catch_exceptions=False)
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    return train


def test_the_champion_is_measured_beside_the_new_model_and_the_same_training_gains_nothing(train, tmp_path):
    first, _ = train()
    asked = sum(not event.impression for event in history(5, 40, 60, 1500)[-150:])
    assert (first["version"], first["held_out"]["rival"], first["held_out"]["interactions"]) == ("1", None, asked)
    registry = Registry(tmp_path / "registry")
    with registry.changing("recommend"):
        registry.promote("recommend", Promotion("1", "Production", 1, "tester"))
    second, _ = train()
    part = second["held_out"]
    assert (part["rival_model"], part["rival"], part["sha256"]) == (
        "recommend@1",
        first["held_out"]["own"],
        first["held_out"]["sha256"],
    )
    both = [registry.measured("recommend", version, RecommendMetrics) for version in "12"]
    assert judge_recommender(both[1], both[0]).answer == "ask"


def test_a_champion_that_can_not_be_loaded_is_named_and_does_not_stop_the_training(train, tmp_path):
    train()
    registry = Registry(tmp_path / "registry")
    with registry.changing("recommend"):
        registry.promote("recommend", Promotion("1", "Production", 1, "tester"))
    (tmp_path / "registry" / "recommend" / "1" / "items.npz").write_bytes(b"")
    found, told = train()
    assert found["held_out"]["rival"] is None
    assert "not compared with the champion: model recommend@1" in told


def test_the_list_of_models_shows_how_a_recommender_did_on_its_held_out_part(train, tmp_path):
    found, _ = train()
    settings = Settings(registry=SettingsRegistry(str(tmp_path / "registry")))
    head, line = CliRunner().invoke(models.command, ["list"], obj=settings, catch_exceptions=False).stdout.splitlines()
    own = found["held_out"]["own"]
    assert own["hit_rate_at_20"] > 0
    for figure, value in (("nDCG@20", own["ndcg_at_20"]), ("hit rate@20", own["hit_rate_at_20"])):
        end = head.index(figure) + len(figure)
        assert line[:end].split()[-1] == f"{value:.4f}"
    assert line[: head.index("AUC ROC") + len("AUC ROC")].split()[-3:] == ["-"] * 3

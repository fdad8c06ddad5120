"""`sluice train recommend` holds the last part of the history out, and measures the champion on it, too."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from recommend_builders import NOON_MS, act, catalogue, history

from infra import control_topic, shop_log
from infra.cli import models, train_recommend
from infra.topic_reader import Read
from jobs.train_recommend import held_out, parameters
from schemas.codec import encode
from schemas.control import RecommendPolicy
from schemas.errors import InputError
from schemas.events import ControlRecord, Item
from schemas.models import Promotion
from schemas.recommend_models import RecommendMetrics
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Settings
from schemas.topics import CONTROL, INTERACTIONS, ITEMS
from schemas.units import DAY_MS
from serving.gate import judge_recommender
from serving.history import log_file
from serving.recommend.control import RecommendControl
from serving.registry import Registry


@pytest.fixture
def train(tmp_path: Path):
    log, parameters = tmp_path / "log.jsonl", tmp_path / "small.toml"
    log_file.write(log, [*catalogue(60), *history(5, 40, 60, 1500)])
    parameters.write_text("splits = 1\n[embeddings]\ndimension = 4\nrounds = 3\n[trees]\ncount = 2\n")
    settings = Settings(registry=SettingsRegistry(str(tmp_path / "registry")))

    def train(*source: str) -> tuple[dict, str]:
        words = [*(source or ("--log", str(log))), "--parameters", str(parameters), "--json"]
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


@pytest.fixture
def topics(monkeypatch):
    """What the topics hold, by name."""
    held: dict[str, list[Read]] = {ITEMS.name: [], INTERACTIONS.name: [], CONTROL.name: []}
    for reader in (shop_log, control_topic):
        monkeypatch.setattr(reader, "read", lambda _, topic: iter(held[topic]))
    return held


def sent(event, key: str | None = None) -> Read:
    named = key or (event.item_id if isinstance(event, Item) else event.user_id)
    return Read(named.encode(), encode(event), NOON_MS + 30 * DAY_MS)


def test_without_a_file_it_learns_what_the_topics_hold_as_the_job_did(train, topics, tmp_path):
    items, acts = catalogue(60), history(5, 40, 60, 1500)
    topics[ITEMS.name] = [sent(item) for item in items]
    # One that was sent again, one under another key, and what anybody may send.
    odd = [sent(acts[7]), sent(acts[8], key="other"), Read(None, b"{", NOON_MS)]
    # Partition by partition: not in order of time.
    topics[INTERACTIONS.name] = [sent(event) for event in [*acts[1::2], *acts[::2]]] + odd
    from_topics, _ = train("--threads", "1")
    log = tmp_path / "in-time.jsonl"
    log_file.write(log, [*items, *sorted([*acts[1::2], *acts[::2]], key=lambda event: event.event_time_ms)])
    from_file, _ = train("--log", str(log))
    assert from_topics["lists"] == from_file["lists"] > 0
    assert from_topics["held_out"]["sha256"] == from_file["held_out"]["sha256"]
    registry = tmp_path / "registry" / "recommend"
    assert "Topics items and interactions" in (registry / from_topics["version"] / "card.md").read_text()


def test_an_interaction_that_stands_twice_in_a_file_is_learned_once(train, tmp_path):
    items, acts = catalogue(60), history(5, 40, 60, 1500)
    twice, once = tmp_path / "twice.jsonl", tmp_path / "once.jsonl"
    log_file.write(twice, [*items, *acts, *acts[::5]])
    log_file.write(once, [*items, *acts])
    one, other = train("--log", str(twice))[0], train("--log", str(once))[0]
    assert (one["held_out"]["sha256"], one["lists"]) == (other["held_out"]["sha256"], other["lists"])


def in_control(name: str, policy: bytes) -> Read:
    fields = {"kind": "recommend_policy", "name": name, "payload": msgspec.Raw(policy)}
    return Read(b"key", encode(ControlRecord(event_id="c", event_time_ms=NOON_MS, **fields)), NOON_MS)


def test_topics_are_learned_from_by_the_policy_that_control_holds_unless_the_parameters_name_one(
    train, topics, tmp_path, monkeypatch
):
    fit, policies = held_out.fit, []

    def kept(items, past, parameters, *rest, **options):
        policies.append(parameters.policy)
        return fit(items, past, parameters, *rest, **options)

    monkeypatch.setattr(held_out, "fit", kept)
    topics[ITEMS.name] = [sent(item) for item in catalogue(60)]
    topics[INTERACTIONS.name] = [sent(event) for event in history(5, 40, 60, 1500)]
    topics[CONTROL.name] = [
        in_control("recommend", b'{"diversity":0.9}'),
        in_control("recommend", b'{"diversity":0.5}'),
        in_control("odd", b'{"sources":{"nowhere":{"quota":1}}}'),
        in_control("unreadable", b'{"diversity":2}'),
    ]
    found, _ = train("--threads", "1")
    assert policies == [RecommendPolicy(diversity=0.5)]
    signature = json.loads((tmp_path / "registry" / "recommend" / found["version"] / "signature.json").read_text())
    version = RecommendControl(lambda _: None, policies[0]).policy_version
    assert signature["training_data"] == f"Topics items and interactions, recommend policy {version} of control"


def test_a_policy_in_the_parameters_holds(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text("[policy]\ndiversity = 0.3\n")
    assert parameters.read(file, RecommendPolicy(diversity=0.5)).policy == RecommendPolicy()
    file.write_text("seed = 8\n")
    assert parameters.read(file, RecommendPolicy(diversity=0.5)).policy.diversity == 0.5
    assert parameters.read(None, RecommendPolicy(diversity=0.5)).policy.diversity == 0.5


def test_topics_that_hold_too_little_are_said_to_in_one_line(train, topics):
    topics[ITEMS.name] = [sent(item) for item in catalogue(3)]
    topics[INTERACTIONS.name] = [sent(act("u", 1, NOON_MS))]
    with pytest.raises(InputError, match=r"3 items and 1 interactions, too few .* --data FOLDER or --log FILE") as told:
        train("--threads", "1")
    assert "\n" not in str(told.value)


def test_one_source_of_the_history_is_enough(train, tmp_path):
    with pytest.raises(InputError, match="one of --data FOLDER and --log FILE, or neither"):
        train("--log", str(tmp_path / "log.jsonl"), "--data", str(tmp_path))

"""`sluice learners` on a broker of its own: what it says is what stands on the topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from promotion_builders import snapshot_of

from infra import control_topic, learners_in_force, stack, topics
from infra.cli import learners as commands
from infra.promoter import Promoter
from online_learning.log_edge import Told
from schemas.events import Snapshot
from schemas.settings import Ports, Promotion, Settings, Stack

pytestmark = pytest.mark.stack
BASE_PORT = 23500


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker with all topics."""
    home = tmp_path_factory.mktemp("learners")
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    ports = Ports(**{name: BASE_PORT + 10 * number for number, name in enumerate(Ports.__struct_fields__)})
    settings = Settings(stack=Stack(home=str(home), ports=ports), promotion=Promotion(least_shadow_hours=0))
    stack.start_part(settings, "kafka")
    topics.create(settings)
    yield settings
    stack.stop_part(settings, "kafka")


def _tell(settings: Settings, *snapshots: Snapshot) -> None:
    told = Told(settings.kafka)
    told.tell(list(snapshots))
    told.flush()


def _run(settings: Settings, *words: str) -> str:
    found = CliRunner().invoke(commands.command, words, obj=settings, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def _modes(settings: Settings) -> dict[str, str]:
    records = control_topic.current(settings.kafka).values()
    return {name: model.mode for name, model in learners_in_force.online_models(records).items()}


def test_a_learner_goes_from_its_snapshot_to_champion_and_back(kafka: Settings) -> None:
    # The newest snapshot of a learner counts: the first one had not won.
    _tell(kafka, snapshot_of("fraud-tree", "wait", 0.0, examples=1000), snapshot_of("fraud-tree"))
    assert "+10.0%" in _run(kafka, "show", "fraud-tree")
    _run(kafka, "promote", "fraud-tree", "--mode", "member")
    _run(kafka, "promote", "fraud-tree", "--note", "it won")
    assert _modes(kafka) == {"fraud-tree": "champion"}
    _run(kafka, "rollback", "fraud-tree")
    assert _modes(kafka) == {"fraud-tree": "member"}
    shown = _run(kafka, "show", "fraud-tree")
    assert [word for word in shown.split() if word.endswith("_learner")] == ["promote_learner"] * 2 + [
        "rollback_learner"
    ]


def test_by_policy_the_larger_gain_becomes_champion_as_its_snapshot_leaves(kafka: Settings) -> None:
    events = [snapshot_of("fraud-forest", gain=0.2), snapshot_of("fraud-logistic", gain=0.1)]
    _tell(kafka, *events)
    promoter = Promoter(kafka.kafka, Promotion(mode="automatic", least_shadow_hours=0), lambda: 10**12)
    assert promoter.consider(events) == ["fraud-forest"]
    assert _modes(kafka)["fraud-forest"] == "champion"
    listed = msgspec.json.decode(_run(kafka, "list", "--json").splitlines()[-1])
    assert listed["fraud-forest"]["mode"] == "champion"
    assert listed["fraud-logistic"]["mode"] == "none"

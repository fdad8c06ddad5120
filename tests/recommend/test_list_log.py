"""Which lists and interactions of the topics off-policy evaluation reads, by when they came."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from infra import list_log
from infra.cli import evaluate_recommend, sluice
from infra.topic_reader import Read
from schemas.codec import encode
from schemas.events import Interaction, RecommendationList, Recommended
from schemas.settings import Kafka
from schemas.topics import INTERACTIONS, RECOMMENDATIONS
from schemas.units import HOUR_MS

NOW_MS = 1_767_268_800_000


def listed(name: str, *, of_list: str = "") -> bytes:
    places = [Recommended("a", 0, 1.0, "trending", 0.5)]
    origin = "list" if of_list else ""
    return encode(
        RecommendationList(
            event_id=name,
            event_time_ms=1,
            user_id=f"u-{name}",
            list_id=name,
            items=places,
            origin=origin,
            of_list=of_list,
        )
    )


def clicked(name: str) -> bytes:
    return encode(
        Interaction(event_id=f"c-{name}", event_time_ms=1, user_id="u", item_id="a", kind="click", list_id=name)
    )


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Read]]:
    """What the topics hold, by name; event times say nothing of when a record came."""

    def ago(hours: float, raw: bytes) -> Read:
        return Read(b"u", raw, NOW_MS - round(hours * HOUR_MS))

    held = {
        RECOMMENDATIONS.name: [
            *(ago(hours, listed(f"l{hours}")) for hours in (4, 3, 2, 1, 0)),
            ago(0.5, listed("shown-3", of_list="l3")),
            ago(0.5, listed("shown-2", of_list="l2")),
        ],
        INTERACTIONS.name: [ago(3.5, clicked("l4")), ago(0.5, clicked("l2")), ago(0, b"what anybody may send")],
    }
    monkeypatch.setattr(list_log, "read", lambda _, topic: iter(held[topic]))
    return held


def test_lists_of_a_part_of_the_topic_come_with_what_was_shown_of_them_later(topics: dict[str, list[Read]]) -> None:
    lists = list_log.Lists(Kafka(), NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS)
    names = ["l3", "l2", "shown-3", "shown-2"]
    assert [one.list_id for one in lists] == names
    assert [one.list_id for one in lists] == names
    assert len(list(list_log.Lists(Kafka()))) == len(topics[RECOMMENDATIONS.name])
    assert [event.list_id for event in list_log.interactions(Kafka(), NOW_MS - 3 * HOUR_MS)] == ["l2"]


@pytest.mark.usefixtures("topics")
def test_since_and_until_choose_the_lists_that_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_recommend.wall_clock, "now_ms", lambda: NOW_MS)

    def left_out(*words: str) -> tuple[int, int, int]:
        done = CliRunner().invoke(
            sluice, ["evaluate", "recommend", "--off-policy", "--json", *words], catch_exceptions=False
        )
        found = json.loads(done.stdout.splitlines()[-1])
        return found["rows"], found["clicks"], found["left_out"]["items not seen"]

    assert left_out() == (2, 1, 3)
    assert left_out("--since", "3h") == (2, 1, 2)
    assert left_out("--until", "1h") == (2, 1, 1)
    assert left_out("--since", "3h", "--until", "1h") == (2, 1, 0)

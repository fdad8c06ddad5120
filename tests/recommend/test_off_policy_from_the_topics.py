"""Off-policy estimates straight from the running broker, on topics of the test's own."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra import list_log
from infra.cli import sluice
from schemas.codec import encode
from schemas.events import Interaction, RecommendationList, Recommended
from schemas.settings import Settings
from schemas.topics import INTERACTIONS, RECOMMENDATIONS

pytestmark = pytest.mark.stack

USERS = 40


@pytest.fixture
def topics(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    mark = secrets.token_hex(4)
    lists, interactions = f"recommendations-test-{mark}", f"interactions-test-{mark}"
    monkeypatch.setattr(list_log, "RECOMMENDATIONS", replace(RECOMMENDATIONS, name=lists))
    monkeypatch.setattr(list_log, "INTERACTIONS", replace(INTERACTIONS, name=interactions))
    admin = AdminClient({"bootstrap.servers": stack.kafka.bootstrap})
    for made in admin.create_topics([NewTopic(lists, 2, 1), NewTopic(interactions, 2, 1)]).values():
        made.result(30)
    yield lists, interactions
    for gone in admin.delete_topics([lists, interactions]).values():
        gone.result(30)


def a_list(number: int) -> RecommendationList:
    places = [Recommended(item, place, 1.0, "trending", 0.5) for place, item in enumerate(("a", "b"))]
    return RecommendationList(
        event_id=f"e{number}", event_time_ms=number, user_id=f"u{number}", list_id=f"l{number}", items=places
    )


def test_lists_and_clicks_of_the_topics_give_the_estimates(stack: Settings, topics: tuple[str, str], tmp_path) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    for number in range(USERS):
        producer.produce(topics[0], encode(a_list(number)), f"u{number}".encode())
        for kind in ("view", "click") if number % 4 == 0 else ("view",):
            event = Interaction(
                event_id=f"{kind}{number}",
                event_time_ms=number,
                user_id=f"u{number}",
                item_id="a",
                kind=kind,
                list_id=f"l{number}",
            )
            producer.produce(topics[1], encode(event), f"u{number}".encode())
    producer.produce(topics[1], b"what anybody may send")
    producer.flush(30)
    words = ["evaluate", "recommend", "--off-policy", "--json"]
    own = CliRunner().invoke(sluice, words, catch_exceptions=False)
    found = json.loads(own.stdout.splitlines()[-1])
    assert (found["rows"], found["units"], found["clicks"]) == (USERS, USERS, USERS // 4)
    assert found["estimates"]["ips"]["value"] == pytest.approx(0.25)
    assert found["left_out"]["items not seen"] == USERS
    target = tmp_path / "target.jsonl"
    target.write_bytes(b"".join(b'{"topic":"recommendations","event":' + encode(a_list(n)) + b"}\n" for n in range(20)))
    other = json.loads(
        CliRunner().invoke(sluice, [*words, "--target", str(target)], catch_exceptions=False).stdout.splitlines()[-1]
    )
    assert (other["target"], other["rows"]) == ("target.jsonl", USERS)
    assert other["estimates"]["ips"]["value"] == pytest.approx(5 / USERS)


def test_a_record_that_is_no_list_is_named(stack: Settings, topics: tuple[str, str]) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka.bootstrap})
    producer.produce(topics[0], b'{"user_id":"u"}', b"u")
    producer.flush(30)
    result = CliRunner().invoke(sluice, ["evaluate", "recommend", "--off-policy"])
    assert f"topic {topics[0]}, key b'u': Object missing required field" in str(result.exception)

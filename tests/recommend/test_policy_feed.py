"""The policy that the API goes by: it follows the control topic, and outlives it."""

from __future__ import annotations

import msgspec
from recommend_builders import NOON_MS

from schemas import codec
from schemas.control import RecommendPolicy
from schemas.errors import PartFailedError
from schemas.events import ControlRecord
from schemas.topics import CONTROL
from serving.inflight import Record
from serving.recommend.policy_feed import PolicyFeed


class Feed:
    """What waits on the control topic; an exception instead of records is raised."""

    def __init__(self, *batches):
        self._batches = list(batches)

    def take(self):
        batch = self._batches.pop(0) if self._batches else []
        if isinstance(batch, Exception):
            raise batch
        return batch


def record(payload, kind="recommend_policy"):
    made = ControlRecord(event_id="c", event_time_ms=NOON_MS, kind=kind, name="main", payload=msgspec.Raw(payload))
    return Record(CONTROL.name, 0, 7, NOON_MS, f"{kind}/main".encode(), codec.encode(made))


def test_the_policy_changes_with_the_topic_and_other_kinds_are_passed_over():
    heard = []
    other = record(b'{"name":"recommend","version":"1","stage":"Production","path":"p","sha256":"s"}', "model")
    policy = PolicyFeed(Feed([], [other, record(b'{"rules":["stock"]}')], [record(b"null")]), heard.append)
    assert policy() == RecommendPolicy()
    assert policy() == RecommendPolicy(rules=("stock",))
    assert policy() == RecommendPolicy()
    assert heard == []


def test_a_record_that_is_refused_is_told_and_changes_nothing():
    heard = []
    bad = [record(b'{"length":0}'), record(b'{"rules":["none"]}'), Record(CONTROL.name, 0, 8, NOON_MS, b"x", b"{")]
    policy = PolicyFeed(Feed([record(b'{"rules":["stock"]}')], bad), heard.append)
    policy()
    assert policy().rules == ("stock",)
    assert len(heard) == 3


def test_the_last_policy_stays_when_the_topic_can_not_be_read_and_that_is_told_once():
    heard = []
    policy = PolicyFeed(Feed([record(b'{"rules":["stock"]}')], PartFailedError("control topic: gone")), heard.append)
    for _ in range(4):
        assert policy().rules == ("stock",)
    assert heard == ["control topic: gone"]

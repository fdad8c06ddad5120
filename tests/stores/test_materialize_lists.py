"""The pure step between the topic of lists and the store, and the flow that runs it."""

from __future__ import annotations

import pickle
import random
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_builders import NOON_MS, listing, told

from jobs.materialize.job import MATERIALIZE
from jobs.runtime import patience
from schemas import codec, metrics, settings
from schemas.errors import StoreError
from schemas.events import DeadLetter, RecommendationList, SourcePosition
from schemas.topics import DEAD_LETTERS, RECOMMENDATIONS
from serving.inflight import Record
from serving.materialize_lists import ListWrites, step
from serving.stores import cassandra_history
from serving.stores.lists import ShownList, shown
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_lists import MemoryLists
from serving.stores.online import Freshness
from serving.stores.packing import pack_list
from serving.stores.redis_lists import connect


def record(made, offset=0):
    raw = made if made is None or isinstance(made, bytes) else codec.encode(made)
    return Record(RECOMMENDATIONS.name, 1, offset, NOON_MS + 7, b"u1", raw)


def test_a_batch_of_lists_becomes_the_newest_list_of_each_user():
    log = [listing("a", NOON_MS + 1), listing("b"), listing("a", NOON_MS), listing("b", list_id="again")]
    writes = step([record(made) for made in log])
    assert writes == ListWrites(log)
    assert writes.newest == [log[3], log[0]]
    assert step([]) == ListWrites()


def test_what_the_api_showed_takes_no_lists_place():
    made = listing("a")
    assert step([record(made), record(listing("a", NOON_MS + 1, origin="list", of_list="l1"))]).newest == [made]


def test_a_list_that_is_read_without_features_is_stored_as_one_that_is_read_whole():
    made = told(listing(new_user=True, source=SourcePosition("interactions", 3, 9), bought=["i9"]))
    (read,) = step([record(made)], ShownList).newest
    assert [item.features for item in read.items] == [[], []]
    assert pack_list(shown(read)) == pack_list(shown(made))


def test_features_that_can_not_be_read_are_refused_where_they_are_read():
    raw = codec.encode(listing()).replace(b'"features":[1.0,2.0]', b'"features":["1",{}]')
    assert step([record(raw)]).reasons == ["invalid"]
    assert step([record(raw)], ShownList).reasons == []
    broken = codec.encode(listing()).replace(b'"features":[1.0,2.0]', b'"features":[1.0,2.0')
    assert step([record(broken)]).reasons == step([record(broken)], ShownList).reasons == ["unreadable"]


@pytest.mark.parametrize("kind", [RecommendationList, ShownList])
@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (None, "unreadable", "empty record"),
        (b"{", "unreadable", "truncated"),
        (b"[]", "invalid", "Expected `object`"),
        (codec.encode(listing()).replace(b'"position":1', b'"position":"1"'), "invalid", "position"),
        (codec.encode(listing(schema_version=9)), "unknown_version", "newest known 1"),
        (codec.encode(listing("x" * 65)), "invalid", "length <= 64"),
        (codec.encode(listing(items=("i1", "x" * 65))), "invalid", "item id of 65 characters"),
        (codec.encode(listing(items=tuple(f"i{n}" for n in range(101)))), "invalid", "101 items"),
    ],
)
def test_a_bad_list_is_a_dead_letter_with_its_reason_and_stops_nothing(raw, reason, detail, kind):
    good = listing("good")
    writes = step([record(raw, 41), record(good)], kind)
    assert [made.user_id for made in writes.lists] == ["good"]
    assert writes.reasons == [reason]
    (output,) = writes.rejects
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert output.topic == DEAD_LETTERS.name
    assert letter.source == SourcePosition(RECOMMENDATIONS.name, 1, 41)
    assert (letter.job, letter.reason, letter.raw) == ("materialize", reason, raw or b"")
    assert detail in letter.detail


@given(raw=st.binary(max_size=200))
def test_random_bytes_are_rejected_and_raise_nothing(raw):
    assert len(step([record(raw)]).rejects) == 1


users = st.tuples(st.sampled_from("ab"), st.integers(NOON_MS, NOON_MS + 3))


@given(log=st.lists(users, max_size=20), before=st.lists(users, max_size=5))
def test_a_store_ends_the_same_after_the_newest_lists_as_after_the_whole_batch(log, before):
    whole, short = (MemoryLists(lambda: NOON_MS) for _ in range(2))
    held, batch = (
        [listing(u, ms, list_id=f"{k}{n}") for n, (u, ms) in enumerate(part)] for k, part in (("h", before), ("b", log))
    )
    for store, later in ((whole, batch), (short, ListWrites(batch).newest)):
        store.write_lists(held)
        store.write_lists(later)
    assert [whole.read_list(user) for user in "ab"] == [short.read_list(user) for user in "ab"]


class Counted:
    """The metrics of a job, kept where a test can see them."""

    def __init__(self):
        self.counts = []
        self.flushed = 0

    def count(self, metric, label="", by=1):
        self.counts.append((metric, label, by))

    def flush(self):
        self.flushed += 1


def opened(name, url=""):
    """The stage of the flow of that name as the cluster gets it, on the Redis at the url."""
    flow = next(flow for flow in MATERIALIZE.flows if flow.name == name)
    assert flow.sources == (RECOMMENDATIONS,)
    assert flow.outputs == (DEAD_LETTERS,)
    (stage,) = pickle.loads(pickle.dumps(flow.stages))
    counted = Counted()
    stage.open(
        SimpleNamespace(
            metrics=counted, settings=settings.Settings(redis=settings.Redis(url=url)), now_ms=lambda: NOON_MS + 50
        )
    )
    return stage, counted


def test_the_flow_writes_lists_to_redis_in_any_order_and_passes_by_what_is_bad(private_redis):
    stage, counted = opened("lists", private_redis.url)
    reader = connect(settings.Redis(url=private_redis.url))
    log = [listing(f"flow{n % 3}", NOON_MS + n, list_id=f"l{n}") for n in range(9)]
    order = random.Random(3).sample(log, len(log))
    letters = [
        letter
        for batch in (order[:4], order[4:], order[:2])
        for letter in stage.step([*map(record, batch), record(b"{")])
    ]
    assert [reader.read_list(f"flow{user}") for user in range(3)] == [shown(log[6 + user]) for user in range(3)]
    assert letters == [], "one dead letter is enough, of the flow that reads the whole list"
    assert reader.freshness() == Freshness(NOON_MS + 8, NOON_MS + 50)
    assert counted.counts.count((metrics.REJECTS, "unreadable", 1)) == 3
    assert [by for metric, _, by in counted.counts if metric is metrics.EVENTS] == [5, 6, 3]
    stage.close()
    reader.close()


def test_the_flow_of_the_history_sends_on_what_is_bad(monkeypatch):
    history = MemoryHistory(3600, lambda: NOON_MS)
    monkeypatch.setattr(cassandra_history, "connect", lambda config: history)
    stage, counted = opened("list_history")
    made = listing()
    (letter,) = stage.step([record(b"{"), record(made)])
    assert letter.topic == DEAD_LETTERS.name
    assert counted.counts.count((metrics.REJECTS, "unreadable", 1)) == 1
    assert [item.features for item in history.lists([made.list_id])[made.list_id].items] == [[1.0, 2.0]] * 2


def test_a_redis_that_is_away_is_tried_again_and_then_fails_the_flow(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_S", 0.25)
    stage, counted = opened("lists", "redis://127.0.0.1:1/0")
    with pytest.raises(StoreError, match=r"Redis at 127\.0\.0\.1:1"):
        stage.step([record(listing())])
    tries = counted.counts.count((metrics.STORE_RETRIES, "", 1))
    assert tries >= 2
    assert counted.flushed == tries

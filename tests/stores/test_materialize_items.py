"""The pure step between the topics of items and rankings and the store, and the flow that runs it."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_builders import NOON_MS, entry, ranking

from jobs.materialize.job import MATERIALIZE
from schemas import codec, metrics, settings
from schemas.events import DeadLetter, Item
from schemas.topics import DEAD_LETTERS, ITEMS, RANKINGS
from schemas.units import HOUR_MS
from serving.inflight import Record
from serving.materialize_items import ItemWrites, step
from serving.stores.memory_items import MemoryItems
from serving.stores.redis_items import connect


def record(event, offset=0, key=None, topic=None):
    if isinstance(event, bytes):
        return Record(topic.name, 1, offset, NOON_MS, key, event)
    own, name = (ITEMS, event.item_id) if isinstance(event, Item) else (RANKINGS, f"{event.kind}/{event.name}")
    return Record(own.name, 1, offset, NOON_MS, name.encode() if key is None else key, codec.encode(event))


def test_a_batch_becomes_the_newest_of_each_entry_and_ranking():
    old, new = entry("a", NOON_MS - 1), entry("a", stock=0)
    again = entry("a", title="again")
    trends = ranking("all", kind="trending")
    other = ranking("all", NOON_MS + 1)
    writes = step([record(event) for event in (new, trends, old, again, other)])
    assert writes == ItemWrites([again], [trends, other])
    assert step([]) == ItemWrites()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b"{", key=b"i1", topic=ITEMS), "unreadable"),
        (record(entry(), key=b"i2"), "wrong_key"),
        (record(entry(at_ms=NOON_MS + HOUR_MS)), "future"),
        (record(entry(schema_version=9)), "unknown_version"),
    ],
)
def test_an_entry_is_refused_for_what_the_recommender_reports_and_no_second_letter_is_written(bad, reason):
    writes = step([bad, record(entry("good"))])
    assert [one.item_id for one in writes.entries] == ["good"]
    assert (writes.reasons, writes.rejects) == ([reason], [])


def test_a_bad_ranking_is_a_dead_letter():
    many = ranking(items=tuple(f"i{number}" for number in range(101)))
    writes = step([record(many, 41), record(ranking("good"))])
    assert [one.name for one in writes.rankings] == ["good"]
    letter = msgspec.json.decode(writes.rejects[0].value, type=DeadLetter)
    assert (letter.job, letter.reason, letter.source.offset) == ("materialize", "invalid", 41)
    assert writes.reasons == ["invalid"]


@given(raw=st.binary(max_size=200), topic=st.sampled_from([ITEMS, RANKINGS]))
def test_random_bytes_are_refused_and_raise_nothing(raw, topic):
    assert len(step([record(raw, key=b"i1", topic=topic)]).reasons) == 1


events = st.tuples(st.sampled_from("ab"), st.integers(NOON_MS, NOON_MS + 3), st.booleans())


@given(log=st.lists(events, max_size=20))
def test_a_store_ends_the_same_after_the_newest_as_after_the_whole_batch(log):
    made = [
        entry(name, at_ms, title=str(place)) if is_entry else ranking(name, at_ms, items=(str(place),))
        for place, (name, at_ms, is_entry) in enumerate(log)
    ]
    whole, short = (MemoryItems(lambda: NOON_MS) for _ in range(2))
    whole.write_entries([event for event in made if isinstance(event, Item)])
    whole.write_rankings([event for event in made if not isinstance(event, Item)])
    writes = step([record(event) for event in made])
    short.write_entries(writes.entries)
    short.write_rankings(writes.rankings)
    assert whole.read_entries(["a", "b"]) == short.read_entries(["a", "b"])
    keys = [("similar", "a"), ("similar", "b")]
    assert whole.read_rankings(keys) == short.read_rankings(keys)


class Counted:
    """The metrics of a job, kept where a test can see them."""

    def __init__(self):
        self.counts = []

    def count(self, metric, label="", by=1):
        self.counts.append((metric, label, by))


def test_the_flow_writes_both_to_redis_and_counts_what_is_bad(private_redis):
    flow = next(flow for flow in MATERIALIZE.flows if flow.name == "items")
    assert (flow.sources, flow.outputs) == ((ITEMS, RANKINGS), (DEAD_LETTERS,))
    (stage,) = pickle.loads(pickle.dumps(flow.stages))
    counted, config = Counted(), settings.Redis(url=private_redis.url)
    stage.open(SimpleNamespace(metrics=counted, settings=settings.Settings(redis=config)))
    bad = [record(b"{", key=b"i", topic=ITEMS), record(b"{", key=b"r", topic=RANKINGS)]
    letters = stage.step([record(entry("flow")), record(ranking("flow")), *bad])
    reader = connect(config)
    assert reader.read_entries(["flow"]) == [entry("flow")]
    assert reader.read_rankings([("similar", "flow")]) == [ranking("flow")]
    assert len(letters) == 1
    assert counted.counts.count((metrics.REJECTS, "unreadable", 1)) == 2
    stage.close()
    reader.close()

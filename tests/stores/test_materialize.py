"""The pure step between the topics and the stores."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_builders import CATALOGUE, NOON_MS, update

from schemas import codec
from schemas.events import DeadLetter, EntityFeatures, FeatureUpdate, SourcePosition
from schemas.topics import DEAD_LETTERS, DECISIONS, FEATURE_UPDATES
from serving.inflight import Record
from serving.materialize import Writes, coalesce, step
from serving.stores.memory_online import MemoryOnline
from tests.decisions import decision


def record(event, offset=0):
    topic = FEATURE_UPDATES if isinstance(event, FeatureUpdate) else DECISIONS
    raw = event if isinstance(event, bytes) else codec.encode(event)
    return Record(topic.name, 1, offset, NOON_MS, b"u1", raw)


def feature_update(*entities: EntityFeatures, feature_set="test-1", at_ms=NOON_MS):
    return FeatureUpdate(
        event_id="e1", event_time_ms=at_ms, user_id="u1", feature_set=feature_set, entities=list(entities)
    )


def test_a_batch_of_both_topics_becomes_the_writes_of_both_stores():
    features, answer = update(k=b"1"), decision(at_ms=NOON_MS + 5)
    writes = step([record(feature_update(features)), record(answer)], CATALOGUE)
    assert writes == Writes([features], [answer], newest_ms=NOON_MS + 5)


def test_an_empty_batch_asks_for_nothing():
    assert step([], CATALOGUE) == Writes()


def test_a_repeat_and_another_feature_set_are_skipped_and_counted():
    foreign = feature_update(update(values=(1.0,)), feature_set="test-2", at_ms=NOON_MS + 9)
    writes = step([record(decision(repeat=True)), record(foreign)], CATALOGUE)
    assert writes == Writes(skipped=2)


def test_of_another_feature_set_the_state_is_written_and_no_value():
    told = update(values=(1.0, 2.0, 3.0, 4.0), k=b"1")
    writes = step([record(feature_update(told, feature_set="test-2"))], CATALOGUE)
    assert [(one.values, one.state) for one in writes.features] == [([], {"k": b"1"})]
    assert (writes.newest_ms, writes.skipped, writes.rejects) == (None, 1, [])


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (None, "unreadable", "empty record"),
        (b"{", "unreadable", "truncated"),
        (b"\0\xff", "unreadable", "Decision"),
        (b"[]", "invalid", "Expected `object`"),
        (codec.encode(decision()).replace(b"12.5", b'"12.5"'), "invalid", "amount"),
        (codec.encode(decision()).replace(b"12.5", b"1e300"), "invalid", "amount 1e+300"),
        (codec.encode(decision()).replace(b"12.5", b"-1"), "invalid", "amount -1"),
        (codec.encode(decision(schema_version=9)), "unknown_version", "newest known 1"),
        (codec.encode(decision(user_id="x" * 65)), "invalid", "length <= 64"),
        (b'{"a":"' + b"x" * 300_000 + b'"}', "too_large", "more than the"),
    ],
)
def test_a_bad_decision_is_a_dead_letter_with_its_reason_and_stops_nothing(raw, reason, detail):
    good = decision("good")
    bad = Record(DECISIONS.name, 3, 41, NOON_MS + 7, b"key", raw)
    writes = step([bad, record(good)], CATALOGUE)
    assert writes.decisions == [good]
    (output,) = writes.rejects
    assert (output.topic, output.key) == (DEAD_LETTERS.name, b"key")
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert letter.event_id == "decisions-3-41"
    assert letter.event_time_ms == NOON_MS + 7
    assert letter.source == SourcePosition("decisions", 3, 41)
    assert (letter.job, letter.reason, letter.raw) == ("materialize", reason, raw or b"")
    assert detail in letter.detail


@pytest.mark.parametrize(
    "entity",
    [
        update(entity="planet"),
        update(values=(1.0,)),
        update(""),
        update("x" * 65),
        update(at_ms=-1),
        update(at_ms=4_102_444_800_000),
        update(**{"k" * 201: b""}),
    ],
)
def test_an_update_that_no_store_could_hold_is_rejected_whole(entity):
    good = update("good")
    writes = step([record(feature_update(good, entity)), record(feature_update(good))], CATALOGUE)
    assert writes.features == [good]
    assert len(writes.rejects) == 1


def test_only_the_newest_update_of_an_entity_is_written():
    log = [update("a", NOON_MS + i) for i in (1, 3, 2)] + [update("b", NOON_MS)]
    assert coalesce(log) == [log[3], log[1]]


def test_a_state_delta_of_an_older_update_survives_under_its_own_time():
    first, second = update(at_ms=NOON_MS, head=b"1", chunk=b"sealed"), update(at_ms=NOON_MS + 1, head=b"2")
    assert coalesce([first, second]) == [update(at_ms=NOON_MS, values=(), chunk=b"sealed"), second]


def test_values_survive_a_later_event_that_was_out_of_order():
    first, late = update(at_ms=NOON_MS, k=b"1"), update(at_ms=NOON_MS, values=(), k=b"2")
    assert coalesce([first, late]) == [update(at_ms=NOON_MS), late]


updates = st.builds(
    lambda entity_id, at_ms, values, state: update(
        entity_id, at_ms, values, **{f"{entity_id}{k}": v for k, v in state.items()}
    ),
    st.sampled_from(["a", "b"]),
    st.integers(NOON_MS, NOON_MS + 3),
    st.just(()) | st.tuples(*[st.floats(allow_nan=False)] * 3),
    st.dictionaries(st.sampled_from(["head", "chunk"]), st.none() | st.binary(max_size=2)),
)


@given(log=st.lists(updates, max_size=20), before=st.lists(updates, max_size=5))
def test_a_store_ends_the_same_after_the_coalesced_batch_as_after_the_whole(log, before):
    whole, short = (MemoryOnline(CATALOGUE, lambda: NOON_MS) for _ in range(2))
    whole.write(before)
    short.write(before)
    whole.write(log)
    short.write(coalesce(log))
    keys = ["ahead", "achunk", "bhead", "bchunk"]
    assert whole.read_features("user", ["a", "b"]) == short.read_features("user", ["a", "b"])
    assert whole.read_state(keys) == short.read_state(keys)


@given(raw=st.binary(max_size=200), topic=st.sampled_from([DECISIONS.name, FEATURE_UPDATES.name]))
def test_random_bytes_are_rejected_and_raise_nothing(raw, topic):
    writes = step([Record(topic, 0, 0, NOON_MS, None, raw)], CATALOGUE)
    assert len(writes.rejects) == 1

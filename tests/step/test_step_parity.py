"""The same log gives the same answers, however it is cut and wherever it runs."""

from __future__ import annotations

import msgspec
from builders import decisions, starting
from histories import histories
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs import cached, in_memory, split, staged

from schemas.events import FeatureUpdate
from serving.inflight import Output

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def by_topic(outputs: list[Output]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for output in outputs:
        found.setdefault(output.topic, []).append(output.value)
    return found


def stored(outputs: list[Output]) -> dict[tuple[str, str], tuple[int, list[float], dict[str, bytes | None]]]:
    """What a store holds of each entity after the feature updates: newest time and values, state by key."""
    found: dict[tuple[str, str], tuple[int, list[float], dict[str, bytes | None]]] = {}
    for output in outputs:
        if output.topic == "feature-updates":
            for entity in msgspec.json.decode(output.value, type=FeatureUpdate).entities:
                key = (entity.entity, entity.entity_id)
                _, values, state = found.get(key, (0, [], {}))
                found[key] = (entity.event_time_ms, entity.values or values, state | entity.state)
    return found


def answers(outputs: list[Output]) -> dict[str, list[bytes]]:
    """All that is one record for each event; updates hold what a batch changed, and depend on the cut."""
    return {topic: values for topic, values in by_topic(outputs).items() if topic != "feature-updates"}


@some
@given(histories(), sizes, st.integers(1, 9))
def test_the_same_log_twice_gives_the_same_bytes(steps, cuts, limit):
    records = [step.record for step in steps]
    first = cached(split(records, cuts), starting(), limit)
    assert first == cached(split(records, cuts), starting(), limit)
    assert first == cached(split(records, cuts), starting(), limit, restart=True)


@some
@given(histories(), sizes, sizes)
def test_any_cut_of_the_log_gives_the_same_answers_and_the_same_stores(steps, cuts, other_cuts):
    records = [step.record for step in steps]
    first, second = (cached(split(records, c), starting(), 50) for c in (cuts, other_cuts))
    assert answers(first) == answers(second)
    assert stored(first) == stored(second)


@some
@given(histories(), sizes, st.integers(1, 9))
def test_stages_with_state_of_their_own_give_the_same_bytes(steps, cuts, limit):
    batches = split([step.record for step in steps], cuts)
    assert by_topic(staged(batches, starting(), limit)) == by_topic(cached(batches, starting(), 50))


@some
@given(histories(), sizes, st.integers(1, 9))
def test_a_backfill_in_memory_gives_the_answers_of_the_stream(steps, cuts, limit):
    records = [step.record for step in steps]
    stream, backfill = cached(split(records, cuts), starting(), limit), in_memory([records], starting())
    assert answers(stream) == answers(backfill)
    plain = {key: held[:2] for key, held in stored(stream).items()}
    assert plain == {key: held[:2] for key, held in stored(backfill).items()}


@some
@given(histories())
def test_a_decision_states_the_features_that_the_updates_state(steps):
    outputs = cached([[step.record] for step in steps], starting(), 50)
    answers = {d.event_id: d for d in decisions(outputs) if not d.repeat}
    for output in outputs:
        if output.topic == "feature-updates":
            update = msgspec.json.decode(output.value, type=FeatureUpdate)
            for entity in update.entities:
                wanted = answers[update.event_id].features if entity.values else []
                assert any(wanted[i : i + len(entity.values)] == entity.values for i in range(len(wanted) + 1))

"""Windows alone, at their limits: what is kept, what is written, what is deleted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import DAY, HOUR, SHORT
from runs import merge

from serving import entities as entities_file
from serving import windows
from serving.entities import Entity, load

START_MS = 1_750_000_000_000
OUT = np.empty(windows.VALUES)


def reload(entity: Entity, state: dict[str, bytes]) -> Entity:
    writes: dict[str, bytes | None] = {}
    entity.write("card:c", writes)
    merge(state, writes)
    return load("card", "card:c", state.get)


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Time, cents and tag; in order or up to an hour behind."""
    now, found = START_MS, []
    for _ in range(draw(st.integers(1, 60))):
        now += draw(st.sampled_from((0, 1, 1000, HOUR, 7 * HOUR, 2 * DAY)))
        behind = draw(st.sampled_from((0, 0, 0, 1, 999, HOUR)))
        newest = max((time for time, _, _ in found), default=now)
        found.append((max(now - behind, newest - HOUR), draw(st.integers(0, 300)), draw(st.integers(0, 5))))
    return found


@settings(max_examples=200, deadline=None)
@given(arrivals(), st.sampled_from((2, 3)), st.integers(6, 12), st.booleans())
def test_a_full_history_forgets_its_oldest_and_says_the_truth_of_the_rest(events, chunk, capacity, restart):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CHUNK", chunk)
        patch.setattr(entities_file, "CHUNK", chunk)
        patch.setattr(windows, "CAPACITY", capacity)
        entity, state = Entity("card"), {}
        everything: list[tuple[int, int, int]] = []
        for event in events:
            everything.insert(sum(other[0] <= event[0] for other in everything), event)
            found = np.empty(windows.VALUES)
            newest_now = entity.windows.see(*event, entity.dirty, found)
            kept = contents(entity)
            assert kept == everything[len(everything) - len(kept) :]
            assert newest_now == (event[0] == everything[-1][0])
            assert len(kept) <= capacity
            newest = kept[-1][0]
            needed = sum(time >= newest - 25 * HOUR for time, _, _ in everything)
            assert len(kept) >= min(needed, capacity - chunk)
            # What was dropped stays forgotten, though an event that comes later may be older than it.
            everything = list(kept)
            assert values(entity, event[0]) == scan(kept, event[0])
            assert values(entity, newest) == scan(kept, newest)
            again = reload(entity, state)
            assert contents(again) == kept
            assert values(again, newest) == scan(kept, newest)
            live = range(again.windows.first_chunk, again.windows.first_chunk + again.windows.chunk_count)
            assert sorted(state) == sorted(["card:c", *(f"{number}#card:c" for number in live)])
            assert len(kept) - len(live) * chunk <= 2 * chunk + 1
            entity = again if restart else entity


def contents(entity: Entity) -> list[tuple[int, int, int]]:
    held = entity.windows
    return [(held.base_ms + t, c, g) for t, c, g in zip(held.times, held.cents, held.tags, strict=True)]


def values(entity: Entity, time_ms: int) -> list[float]:
    found = np.empty(windows.VALUES)
    entity.windows.look(time_ms, found)
    return found[:-2].tolist()


def scan(kept: list[tuple[int, int, int]], time_ms: int) -> list[float]:
    found: list[float] = []
    for width in SHORT.values():
        cents = [c for t, c, _ in kept if time_ms - width < t <= time_ms]
        total = sum(cents) / 100
        found += [len(cents), total, total / len(cents) if cents else 0.0, max(cents, default=0) / 100]
    return [*found, len({g for t, _, g in kept if time_ms - DAY < t <= time_ms})]


def test_late_events_alone_do_not_grow_the_state_beyond_its_bound(monkeypatch):
    monkeypatch.setattr(windows, "CAPACITY", 600)
    entity = Entity("card")
    entity.windows.see(START_MS, 1, 1, entity.dirty, OUT)
    for number in range(2000):
        entity.windows.see(START_MS - 1 - number % 1000, 1, 1, entity.dirty, OUT)
    assert len(entity.windows) <= 600
    writes: dict[str, bytes | None] = {}
    entity.write("card:c", writes)
    assert len(writes["card:c"]) < 2 * windows.CHUNK * 12 + 200


def test_a_missing_piece_of_state_is_named():
    entity, state = Entity("card"), {}
    for number in range(3 * windows.CHUNK):
        entity.windows.see(START_MS + number, 1, 1, entity.dirty, OUT)
    reload(entity, state)
    del state["0#card:c"]
    with pytest.raises(entities_file.StateVersionError, match="card:c lacks its chunk 0"):
        load("card", "card:c", state.get)


def test_an_id_that_looks_like_a_piece_of_another_is_kept_apart():
    state: dict[str, bytes] = {}
    busy, writes = Entity("card"), {}
    for number in range(3 * windows.CHUNK):
        busy.windows.see(START_MS + number, 1, 1, busy.dirty, OUT)
    busy.write("card:c", writes)
    Entity("card").write("card:c#0", writes)
    merge(state, writes)
    assert len(load("card", "card:c", state.get).windows) == 3 * windows.CHUNK
    assert len(load("card", "card:c#0", state.get).windows) == 0

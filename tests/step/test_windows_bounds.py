"""Windows alone, at their limits: what is kept, what is written, what is deleted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import DAY, HOUR, SHORT
from runs import merge
from table import One

from schemas.errors import StateVersionError
from serving import windows
from serving.entities import unpack_entity
from serving.sealed import GROUP

START_MS = 1_750_000_000_000


def reload(entity: One, state: dict[str, bytes]) -> One:
    merge(state, entity.write())
    return One("card", "c", state.get)


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
        patch.setattr(windows, "CAPACITY", capacity)
        state: dict[str, bytes] = {}
        entity = One("card", "c")
        everything: list[tuple[int, int, int]] = []
        for event in events:
            everything.insert(sum(other[0] <= event[0] for other in everything), event)
            entity.see(event)
            kept = entity.events
            assert kept == everything[len(everything) - len(kept) :]
            assert entity.newest == (event[0] == everything[-1][0])
            assert len(kept) <= capacity
            newest = kept[-1][0]
            needed = sum(time >= newest - 25 * HOUR for time, _, _ in everything)
            assert len(kept) >= min(needed, capacity - chunk)
            # What was dropped stays forgotten, though an event that comes later may be older than it.
            everything = list(kept)
            assert values(entity, event[0]) == scan(kept, event[0])
            assert values(entity, newest) == scan(kept, newest)
            again = reload(entity, state)
            assert again.events == kept
            assert values(again, newest) == scan(kept, newest)
            first, count = unpack_entity("card:c", state["card:c"]).chunks
            complete = (first + count) // GROUP
            groups = {f"g{n}#card:c" for n in range(first // GROUP, complete)}
            loose = {f"{n}#card:c" for n in range(max(first, complete * GROUP), first + count)}
            assert state.keys() == {"card:c"} | groups | loose
            assert len(kept) - count * chunk <= 2 * chunk + 1
            entity = again if restart else entity


def values(entity: One, time_ms: int) -> list[float]:
    return entity.look(time_ms)[: windows.VALUES - 2]


def scan(kept: list[tuple[int, int, int]], time_ms: int) -> list[float]:
    found: list[float] = []
    for width in SHORT.values():
        cents = [c for t, c, _ in kept if time_ms - width < t <= time_ms]
        total = sum(cents) / 100
        found += [len(cents), total, total / len(cents) if cents else 0.0, max(cents, default=0) / 100]
    return [*found, len({g for t, _, g in kept if time_ms - DAY < t <= time_ms})]


def test_late_events_alone_do_not_grow_the_state_beyond_its_bound(monkeypatch):
    monkeypatch.setattr(windows, "CAPACITY", 600)
    entity = One("card", "c")
    entity.see((START_MS, 1, 1))
    for number in range(2000):
        entity.see((START_MS - 1 - number % 1000, 1, 1))
    assert len(entity.events) <= 600
    assert len(entity.write()["card:c"] or b"") < 2 * windows.CHUNK * 12 + 200


def busy(entity_id: str) -> One:
    entity = One("card", entity_id)
    entity.see(*((START_MS + number, 1, 1) for number in range(3 * windows.CHUNK)))
    return entity


def test_a_missing_piece_of_state_is_named():
    state: dict[str, bytes] = {}
    reload(busy("c"), state)
    del state["0#card:c"]
    with pytest.raises(StateVersionError, match="card:c lacks its chunk 0"):
        One("card", "c", state.get)


def test_an_entity_that_can_not_be_read_leaves_no_trace():
    entity = One("card", "other", {"card:c": b"broken"}.get)
    with pytest.raises(StateVersionError):
        entity.table.row("c")
    assert len(entity.table) == 1


def test_an_id_that_looks_like_a_piece_of_another_is_kept_apart():
    state: dict[str, bytes] = {}
    merge(state, busy("c").write())
    merge(state, One("card", "c#0").write())
    assert len(One("card", "c", state.get).events) == 3 * windows.CHUNK
    assert One("card", "c#0", state.get).events == []

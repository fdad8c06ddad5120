"""State bytes of every released version stay readable; an unknown version is refused by name."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from runs import merge

from schemas.errors import StateVersionError
from serving import entities, windows
from serving.entities import STATE_VERSION, Entity, load
from serving.entity_cache import EntityCache
from serving.features.habit import tag
from serving.outcomes import Outcome, Outcomes
from serving.stages import STAGES

FROZEN = Path(__file__).parent / "frozen"


def facts(entity: Entity) -> dict[str, Any]:
    """All that an entity remembers, as plain JSON values."""
    held = entity.windows
    found = {
        "first_seen_ms": entity.first_seen_ms,
        "times": [held.base_ms + t for t in held.times],
        "cents": list(held.cents),
        "tags": list(held.tags),
        "chunks": [held.first_chunk, held.chunk_count],
        "tiles": entity.tiles.rows,
        "moments": entity.moments.packed(),
        "risk": entity.risk and [list(c) for c in (entity.risk.hours, entity.risk.counts, entity.risk.frauds)],
        "habits": entity.habits and entity.habits.packed(),
    }
    plain: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return plain


@pytest.mark.parametrize("version", range(1, STATE_VERSION + 1))
@pytest.mark.parametrize("kind", STAGES)
def test_the_frozen_state_of_every_kind_is_read_in_full(kind, version):
    frozen = json.loads((FROZEN / f"{kind}.v{version}.json").read_text())
    state = {key: b64decode(raw) for key, raw in frozen["state"].items()}
    entity = load(kind, frozen["key"], state.get)
    assert facts(entity) == frozen["facts"]
    if version == STATE_VERSION:
        writes: dict[str, bytes | None] = {}
        entity.dirty = set(range(entity.windows.first_chunk, entity.windows.first_chunk + entity.windows.chunk_count))
        entity.write(frozen["key"], writes)
        assert writes == state, "the bytes changed: a new layout is a new STATE_VERSION"


@pytest.mark.parametrize("version", range(1, STATE_VERSION + 1))
def test_the_frozen_outcomes_are_read_in_full(version):
    frozen = json.loads((FROZEN / f"outcomes.v{version}.json").read_text())
    state = {key: b64decode(raw) for key, raw in frozen["state"].items()}
    found = Outcomes(state.get, 10)
    assert found.find("c1", "e1") == Outcome("REVIEW", 0.625, ["model_score"])
    assert found.find("c1", "e2") == Outcome("APPROVE", 0.0, [])
    assert found.find("c1", "e3") is None


@pytest.mark.parametrize("kind", STAGES)
def test_a_state_of_an_unknown_version_is_refused_by_key_and_version(kind):
    known: dict[str, bytes | None] = {}
    Entity(kind).write(f"{kind}:x", known)
    packed = msgspec.msgpack.decode(known[f"{kind}:x"])
    for raw in ([9, *packed[1:]], [9, *packed[1:], "more"], [9, {"all": "new"}]):
        state = {f"{kind}:x": msgspec.msgpack.encode(raw)}
        with pytest.raises(StateVersionError, match=f"state of {kind}:x has version 9, this release reads 1"):
            load(kind, f"{kind}:x", state.get)


def test_outcomes_of_an_unknown_version_are_refused_by_key_and_version():
    state = {"outcomes:c1": msgspec.msgpack.encode([9, {}])}
    with pytest.raises(StateVersionError, match="outcomes:c1 has version 9"):
        Outcomes(state.get, 10).find("c1", "e1")


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\xff" * 40, msgspec.msgpack.encode({"a": 1}), b"\x90"])
def test_bytes_that_are_no_state_are_refused_by_key(raw):
    with pytest.raises(StateVersionError, match="state of user:x is unreadable"):
        load("user", "user:x", {"user:x": raw}.get)


def test_an_entity_that_left_the_cache_comes_back_with_the_writes_that_wait():
    cache = EntityCache({}.get, 1)
    first = cache.get("card", "a")
    first.windows.see(1_750_000_000_000, 100, 1, first.dirty, np.empty(windows.VALUES))
    cache.changed("card", "a", first)
    cache.get("card", "b")
    assert len(cache.get("card", "a").windows) == 1
    assert (cache.hits, cache.misses) == (0, 3)


def test_outcomes_beyond_the_limit_come_back_from_state():
    state: dict[str, bytes] = {}
    outcomes = Outcomes(state.get, 1)
    for card in ("a", "b", "c"):
        outcomes.add(card, "e", Outcome("BLOCK", 1.0, [card]))
    merge(state, outcomes.take_writes())
    assert [outcomes.find(card, "e").reasons for card in ("a", "b", "c")] == [["a"], ["b"], ["c"]]
    assert outcomes.take_writes() == {}


def test_a_user_with_a_hundred_events_needs_little_state():
    """At most 11 bytes an event; ids and habits have bounds of their own."""
    entity, writes, out = Entity("user"), {}, np.empty(windows.VALUES)
    for number in range(100):
        when = 1_750_000_000_000 + number * 800_000
        entity.windows.see(when, 9000 + number, tag(f"m{number % 5}"), entity.dirty, out)
    entity.write("user:u", writes)
    assert len(writes["user:u"]) < 100 * 11 + 150
    assert entities.REMEMBERED_IDS * 9 + 3 * entities.REMEMBERED_TAGS * 7 < 1600

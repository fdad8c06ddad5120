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
from table import One

from schemas.errors import StateVersionError
from serving import entities, packing, tiles
from serving.entities import STATE_VERSION, unpack_entity
from serving.entity_cache import EntityCache
from serving.features.habit import tag
from serving.outcomes import Outcome, Outcomes
from serving.stages import STAGES

FROZEN = Path(__file__).parent / "frozen"


def facts(entity: One) -> dict[str, Any]:
    """All that an entity remembers, as plain JSON values."""
    packed = unpack_entity("", entity.write()[f"{entity.table.kind}:{entity.entity_id}"] or b"")
    risk = entity.table.risk[entity.row] if entity.table.risk else None
    days = np.zeros((tiles.ROOM, tiles.FIELDS), np.int64)
    count = packing.read(np.frombuffer(packed.tiles, np.uint8), days, 0, tiles.FIELDS)
    times, cents, tags = zip(*entity.events, strict=True)
    found = {
        "first_seen_ms": packed.first_seen_ms,
        "times": times,
        "cents": cents,
        "tags": tags,
        "tiles": days[:count].T.tolist(),
        "moments": packed.moments,
        "risk": risk and [list(c) for c in (risk.hours, risk.counts, risk.frauds)],
        "habits": packed.habits,
    }
    plain: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return plain


@pytest.mark.parametrize("version", range(1, STATE_VERSION + 1))
@pytest.mark.parametrize("kind", STAGES)
def test_the_frozen_state_of_every_kind_is_read_in_full(kind, version):
    frozen = json.loads((FROZEN / f"{kind}.v{version}.json").read_text())
    state = {key: b64decode(raw) for key, raw in frozen["state"].items()}
    entity_id = frozen["key"].removeprefix(f"{kind}:")
    entity = One(kind, entity_id, state.get)
    wanted = {name: value for name, value in frozen["facts"].items() if name != "chunks"}
    if kind == "user" and version < 3:
        # There were no verdicts.
        wanted["habits"] = [*wanted["habits"], []]
    assert facts(entity) == wanted
    merge(state, One(kind, entity_id, state.get).write())
    assert facts(One(kind, entity_id, state.get)) == wanted
    if version == STATE_VERSION:
        assert state == {key: b64decode(raw) for key, raw in frozen["state"].items()}, (
            "the bytes changed: a new layout is a new STATE_VERSION"
        )


def test_pieces_of_version_1_give_way_to_pieces_of_todays_size():
    frozen = json.loads((FROZEN / "card.v1.json").read_text())
    state = {key: b64decode(raw) for key, raw in frozen["state"].items()}
    entity = One("card", frozen["key"].removeprefix("card:"), state.get)
    old = [key for key in state if "#" in key]
    writes = entity.write()
    assert [key for key, raw in writes.items() if raw is None] == sorted(old)
    merge(state, writes)
    newest = entity.events[-1][0]
    for number in range(3):
        entity.see((newest + number, 1, 1))
        merge(state, entity.write())
    again = One("card", entity.entity_id, state.get)
    assert again.events == entity.events


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
    packed = msgspec.msgpack.decode(One(kind, "x").write()[f"{kind}:x"] or b"")
    for raw in ([9, *packed[1:]], [9, *packed[1:], "more"], [9, {"all": "new"}]):
        state = {f"{kind}:x": msgspec.msgpack.encode(raw)}
        with pytest.raises(StateVersionError, match=f"state of {kind}:x has version 9, this release reads 1, 2, 3, 4"):
            One(kind, "x", state.get)


def test_outcomes_of_an_unknown_version_are_refused_by_key_and_version():
    state = {"outcomes:c1": msgspec.msgpack.encode([9, {}])}
    with pytest.raises(StateVersionError, match="outcomes:c1 has version 9"):
        Outcomes(state.get, 10).find("c1", "e1")


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\xff" * 40, msgspec.msgpack.encode({"a": 1}), b"\x90"])
def test_bytes_that_are_no_state_are_refused_by_key(raw):
    with pytest.raises(StateVersionError, match="state of user:x is unreadable"):
        One("user", "x", {"user:x": raw}.get)


def test_an_entity_that_left_the_cache_comes_back_with_the_writes_that_wait():
    cache = EntityCache({}.get, 1)
    table = cache.table("card")
    row = table.row("a")
    table.see([row], [1_750_000_000_000], [1.0], [1], [False])
    cache.keep("card", {"a": row})
    table.row("b")
    cache.keep("card", {})
    assert len(table.events(table.row("a"))) == 1
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
    entity = One("user", "u")
    for number in range(100):
        entity.see((1_750_000_000_000 + number * 800_000, 9000 + number, tag(f"m{number % 5}")))
    assert sum(len(raw or b"") for raw in entity.write().values()) < 100 * 11 + 150
    assert entities.REMEMBERED_IDS * 9 + 3 * entities.REMEMBERED_TAGS * 7 < 1600

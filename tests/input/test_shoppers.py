"""The stream of generated shoppers: the same everywhere, in order, valid, with stock that runs out and comes back."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_hashes import hash_in_a_process, hash_of

from infra.cli import sluice
from infra.generator.shoppers.config import Config
from infra.generator.shoppers.stream import events
from schemas.codec import decode, encode
from schemas.errors import InputError
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, HOUR_MS
from serving.history import log_file

SMALL = Config(seed=5, users=300, items=200, sessions_per_user_day=2, days=12)


@pytest.fixture(scope="module")
def small() -> list[Item | Interaction]:
    return list(events(SMALL))


def test_the_same_seed_gives_the_same_bytes_in_any_process_and_another_seed_others(
    small: list[Item | Interaction],
) -> None:
    here = hash_of(small)
    assert hash_in_a_process(SMALL, "1") == hash_in_a_process(SMALL, "2") == here
    assert hash_in_a_process(replace(SMALL, seed=6), "1") != here


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**63 - 1),
    users=st.integers(10, 60),
    start_ms=st.integers(2 * 365 * DAY_MS, 2_000_000_000_000),
    days=st.floats(0, 1),
    per_user_day=st.sampled_from([0.1, 2.0, 10.0]),
    new_items=st.sampled_from([0.0, 0.5]),
    bots_per_day=st.sampled_from([0.0, 20.0]),
    impressions=st.booleans(),
)
def test_every_stream_is_in_order_valid_and_without_repeated_ids(
    seed: int,
    users: int,
    start_ms: int,
    days: float,
    per_user_day: float,
    new_items: float,
    bots_per_day: float,
    impressions: bool,
) -> None:
    config = Config(
        seed=seed,
        users=users,
        items=100,
        start_ms=start_ms,
        days=days,
        sessions_per_user_day=per_user_day,
        new_items=new_items,
        new_users=0.3,
        bots_per_day=bots_per_day,
        impressions=impressions,
    )
    found = list(events(config))
    times = [event.event_time_ms for event in found]
    assert times == sorted(times)
    assert all(start_ms <= time_ms <= (config.end_ms or 0) for time_ms in times)
    assert len({event.event_id for event in found}) == len(found)
    created: set[str] = set()
    stock: dict[str, int] = {}
    for event in found:
        if isinstance(event, Item):
            assert event.created_ms <= event.event_time_ms
            created.add(event.item_id)
            assert event.stock is not None
            stock[event.item_id] = event.stock
        else:
            assert event.item_id in created, "an item is told before anybody touches it"
            if event.kind == "purchase":
                stock[event.item_id] -= int(event.value)
                assert stock[event.item_id] >= 0, "nobody buys what is not there"
    for event in found[:: max(1, len(found) // 50)]:
        assert decode(type(event), encode(event)) == event


def test_the_stream_begins_with_the_whole_catalogue(small: list[Item | Interaction]) -> None:
    first = small[:200]
    assert [event.item_id for event in first if isinstance(event, Item)] == [f"i{n:06d}" for n in range(200)]
    assert all(event.event_time_ms == SMALL.start_ms for event in first)
    assert all(isinstance(item, Item) and item.title and item.categories and item.price > 0 for item in first)


def test_what_is_sold_out_is_told_and_is_not_bought_until_it_is_delivered(small: list[Item | Interaction]) -> None:
    out: dict[str, int] = {}
    delivered = 0
    for event in small:
        if isinstance(event, Item):
            if event.stock == 0:
                out[event.item_id] = event.event_time_ms
            elif event.item_id in out:
                days = (event.event_time_ms - out.pop(event.item_id)) / DAY_MS
                assert days <= 5
                delivered += 1
        elif event.kind == "purchase":
            assert event.item_id not in out
    assert delivered > 10


def test_a_count_ends_the_stream_after_so_many_interactions() -> None:
    config = Config(seed=5, users=300, items=200, count=777)
    assert sum(isinstance(event, Interaction) for event in events(config)) == 777
    assert sum(isinstance(event, Interaction) for event in events(Config(count=0, items=100))) == 0


def test_without_an_end_the_stream_goes_on() -> None:
    assert len(list(islice(events(Config(users=50, items=100)), 5_000))) == 5_000


def test_sessions_are_told_by_their_id_and_lists_by_theirs(small: list[Item | Interaction]) -> None:
    by_session: dict[str, set[str]] = {}
    for event in small:
        if isinstance(event, Interaction):
            assert (event.list_id == "") == (event.position is None)
            assert event.list_id == "" or event.kind == "click"
            if event.session_id:
                by_session.setdefault(event.session_id, set()).add(event.user_id)
    assert all(len(users) == 1 for users in by_session.values())
    assert len(by_session) > 3_000


def test_impressions_add_what_was_shown_and_change_nothing_else() -> None:
    def plain(impressions: bool) -> list[tuple[object, ...]]:
        config = Config(seed=8, users=200, items=150, days=2, impressions=impressions)
        return [
            (event.event_time_ms, event.user_id, event.item_id, event.kind, event.value, event.position)
            for event in events(config)
            if isinstance(event, Interaction) and not (event.kind == "view" and event.list_id)
        ]

    assert plain(True) == plain(False)
    shown: set[tuple[str, str, int | None]] = set()
    for event in events(Config(seed=8, users=200, items=150, days=2, impressions=True)):
        if isinstance(event, Interaction) and event.list_id:
            place = (event.list_id, event.item_id, event.position)
            assert (place in shown) == (event.kind == "click"), "what is clicked was shown there before"
            shown.add(place)


@pytest.mark.parametrize("per_user_day", [0.5, 10_000.0])
def test_a_slice_is_short_enough_to_keep_memory_flat(per_user_day: float) -> None:
    config = Config(users=1_000, sessions_per_user_day=per_user_day)
    assert config.slice_ms == 1_000 or config.sessions_per_day / DAY_MS * config.slice_ms <= 5_000
    assert HOUR_MS % config.slice_ms == 0


def test_ten_thousand_events_a_second_are_drawn_by_far() -> None:
    """Best of three thirds, for the machine may be busy."""
    stream = events(Config(users=5_000, items=2_000, sessions_per_user_day=5))
    list(islice(stream, 5_000))
    rates = []
    for _ in range(3):
        begin = time.process_time()
        count = len(list(islice(stream, 20_000)))
        rates.append(count / (time.process_time() - begin))
    assert max(rates) > 10_000


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"users": 9}, "users is 9; give a value from 10"),
        ({"items": 99}, "items is 99"),
        ({"seed": -1}, "seed is -1"),
        ({"new_items": 1.1}, "new_items is 1.1"),
        ({"bots_per_day": -1}, "bots_per_day is -1"),
        ({"start_ms": 0}, "start_ms is 0"),
        ({"days": -1}, "days is -1"),
    ],
)
def test_a_config_out_of_bounds_is_refused_by_name(values: dict[str, float], named: str) -> None:
    with pytest.raises(InputError, match=named):
        Config(**values)  # type: ignore[arg-type]  # fields by name


def call(*arguments: object) -> str:
    return CliRunner().invoke(sluice, [str(argument) for argument in arguments], catch_exceptions=False).stdout


COMMAND = ("generate", "interactions", "--users", 100, "--items", 100)


def test_the_command_writes_the_stream_and_a_replay_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "shop.parquet"
    written = call(*COMMAND, "--days", 2, "--start", "2025-01-01", "--out", file, "--json")
    expected = list(events(Config(users=100, items=100, start_ms=1_735_689_600_000, days=2)))
    assert json.loads(written.splitlines()[-1]) == {"written": len(expected)}
    assert list(log_file.read(file)) == expected
    shown = json.loads(call("replay", "--file", file, "--dry-run", "--json").splitlines()[-1])
    kinds = Counter(type(event).__name__.lower() for event in expected)
    assert shown["events"] == kinds


@pytest.mark.parametrize(("only", "kind"), [("items", Item), ("interactions", Interaction)])
def test_the_command_gives_one_kind_when_asked(tmp_path: Path, only: str, kind: type) -> None:
    call(*COMMAND, "--days", 1, "--only", only, "--out", tmp_path / "some.jsonl")
    found = list(log_file.read(tmp_path / "some.jsonl"))
    assert found
    assert {type(event) for event in found} == {kind}


@pytest.mark.parametrize("length", [("--days", "2"), ("--count", "100")])
def test_by_default_the_stream_ends_about_now_and_not_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: tuple[str, str]
) -> None:
    now_ms = 1_750_000_000_000
    monkeypatch.setattr("infra.wall_clock.now_ms", lambda: now_ms)
    call(*COMMAND, *length, "--bots-per-day", 0, "--out", tmp_path / "log.jsonl")
    last_ms = [event.event_time_ms for event in log_file.read(tmp_path / "log.jsonl")][-1]
    assert now_ms - 25 * 24 * HOUR_MS < last_ms <= now_ms


def test_a_rate_and_a_number_of_sessions_exclude_each_other() -> None:
    with pytest.raises(InputError, match="leave out --sessions-per-user-day"):
        call(*COMMAND, "--start", "now", "--rate", 5, "--sessions-per-user-day", 1)

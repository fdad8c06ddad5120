"""`sluice generate` and `sluice replay` at the keyboard: files, summaries, and one-line errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner, Result

from infra.cli import sluice
from infra.generator.payments.config import Config
from infra.generator.payments.stream import events
from schemas.errors import InputError, MappingError
from schemas.events import Event, Item
from schemas.topics import TOPICS
from schemas.units import DAY_MS
from serving.history import log_file

SMALL = ["generate", "--users", "100", "--merchants", "100"]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(sluice, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_generated_file_holds_the_stream_and_can_be_replayed(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"log{suffix}"
    written = call(*SMALL, "--days", 3, "--start", "2025-01-01", "--out", file, "--json")
    expected = list(events(Config(users=100, merchants=100, start_ms=1_735_689_600_000, days=3)))
    assert json.loads(written.stdout.splitlines()[-1]) == {"written": len(expected)}
    assert list(log_file.read(file)) == expected
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    shown = json.loads(call("replay", "--file", file, "--dry-run", "--json").stdout.splitlines()[-1])
    assert sum(shown["events"].values()) == len(expected)


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        call(*SMALL, "--count", 300, "--start", "2025-01-01T06:30Z", "--out", tmp_path / name)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a.jsonl").stat().st_size > 10_000


@pytest.mark.parametrize("length", [("--days", "2"), ("--count", "500"), ("--count", "3")])
def test_by_default_the_stream_ends_about_now_and_not_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: tuple[str, str]
) -> None:
    now_ms = 1_750_000_000_000
    monkeypatch.setattr("infra.wall_clock.now_ms", lambda: now_ms)
    call(*SMALL, *length, "--out", tmp_path / "log.jsonl")
    last_ms = [event.event_time_ms for event in log_file.read(tmp_path / "log.jsonl")][-1]
    assert now_ms - 2 * DAY_MS < last_ms <= now_ms


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "tomorrow", "--days", "1"], "--start tomorrow: no time; give ISO 8601"),
        (["--full-speed", "--rate", "5"], "--full-speed is given with a rate or a speed-up"),
        (["--rate", "5", "--speed-up", "5"], "both a rate and a speed-up"),
        (["--rate", "0"], "rate is 0.0; give a positive number"),
        (["--out", "x.jsonl", "--rate", "5"], "--out writes a file at once"),
        (["--start", "now", "--full-speed"], "would run ahead of the clock"),
        (["--start", "now", "--rate", "5", "--per-user-day", "1"], "leave out --per-user-day"),
        (["--users", "1"], "users is 1; give a value from 10"),
        (["--out", "x.txt"], r"x.txt: give a file name that ends in .jsonl or .parquet"),
        (["--out", "/nowhere/x.jsonl"], "/nowhere/x.jsonl: No such file or directory"),
    ],
)
def test_what_generate_can_not_do_is_said_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call("generate", "--merchants", "100", *arguments)
    assert "\n" not in str(caught.value)


def test_a_dry_run_shows_events_and_what_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text(
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "5001,A1,2,2011-06-01 09:30,1.5,17,France\nC5002,A1,-2,2011-06-01 09:31,1.5,17,France\n"
        "5003,B2,1,2011-06-01 09:32,3,,France\n"
    )
    lines = call("replay", "--file", file, "--mapping", "online-retail", "--dry-run", "--json").stdout.splitlines()
    first = json.loads(lines[0])
    assert (first["user_id"], first["item_id"], first["kind"], first["value"]) == ("c17", "A1", "purchase", 2.0)
    assert first["event_time_ms"] == 1_306_917_000_000  # half past nine in London's summer
    assert lines[1:3] == ["1 interaction events", "rows left out: 1 no customer, 1 cancelled"]
    assert json.loads(lines[3])["left_out"] == {"no customer": 1, "cancelled": 1, "no pieces": 0, "bad row": 0}


def test_a_replay_without_a_mapping_needs_a_generated_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.csv: say with --mapping how its rows become events"):
        call("replay", "--file", tmp_path / "rows.csv", "--dry-run")
    (tmp_path / "x.jsonl").write_text('{"topic": "transactions", "event": {"event_id": "1"}}\n')
    with pytest.raises(MappingError, match=r"x\.jsonl: line 1: Transaction: Object missing required field"):
        call("replay", "--file", tmp_path / "x.jsonl", "--dry-run")
    (tmp_path / "x.jsonl").write_text("oops\n")
    with pytest.raises(MappingError, match=r"x\.jsonl: line 1: JSON is malformed"):
        call("replay", "--file", tmp_path / "x.jsonl", "--dry-run")
    (tmp_path / "x.jsonl").write_text('{"topic": "moods", "event": {}}\n')
    with pytest.raises(MappingError, match=r"x\.jsonl: line 1: topic 'moods' is not one of transactions, "):
        call("replay", "--file", tmp_path / "x.jsonl", "--dry-run")


def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    def broken() -> Iterator[Event]:
        yield from events(Config(users=100, merchants=100, count=5))
        raise RuntimeError

    for name in ("x.jsonl", "x.parquet"):
        with pytest.raises(RuntimeError):
            log_file.write(tmp_path / name, broken())
    assert list(tmp_path.iterdir()) == []


GOOD_LINE = '{"topic": "items", "event": {"event_id": "1", "event_time_ms": 1, "item_id": "i"}}\n'


def test_a_file_may_hold_items_as_it_holds_payments(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(GOOD_LINE)
    assert list(log_file.read(tmp_path / "x.jsonl")) == [Item(event_id="1", event_time_ms=1, item_id="i")]


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS if topic not in log_file.INPUTS])
def test_what_only_jobs_and_people_say_is_not_replayed(tmp_path: Path, topic: str) -> None:
    (tmp_path / "x.jsonl").write_text(GOOD_LINE + json.dumps({"topic": topic, "event": {}}) + "\n")
    said = (
        rf"x\.jsonl: line 2: topic '{topic}' is not one of transactions, interactions, items, labels; take the line out"
    )
    with pytest.raises(MappingError, match=said):
        call("replay", "--file", tmp_path / "x.jsonl", "--dry-run")


def test_a_line_that_is_nested_without_end_is_named(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "x.jsonl").write_text(f'{GOOD_LINE}{{"topic": "items", "event": {deep}}}\n')
    with pytest.raises(MappingError, match=r"x\.jsonl: line 2: "):
        call("replay", "--file", tmp_path / "x.jsonl", "--dry-run")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"topic": ["decisions"], "value": [b"{}"]}, r"line 1: topic 'decisions' is not one of"),
        ({"topic": ["items"], "value": ["{}"]}, r"line 1: Item: Object missing required field"),
        ({"topic": ["items"], "value": [None]}, r"line 1: empty record"),
        ({"topic": ["items"], "value": [1]}, r"Unsupported cast"),
        ({"topic": [["items"]], "value": [b"{}"]}, r"nsupported cast|not implemented"),
    ],
)
def test_rows_that_are_no_events_are_named(tmp_path: Path, columns: dict[str, list[object]], said: str) -> None:
    pa.parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(MappingError, match=rf"x\.parquet: .*{said}"):
        call("replay", "--file", tmp_path / "x.parquet", "--dry-run")

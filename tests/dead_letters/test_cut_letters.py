"""Letters of records that are too long for one: they say so, and stay where they are."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner

from infra import dead_letters
from infra.cli import dead_letters as commands
from infra.dead_letters import CUT, Choice
from infra.topic_reader import Read
from schemas.codec import encode
from schemas.errors import InvalidError, UnreadableError
from schemas.events import DeadLetter, Transaction
from schemas.letters import MAX_KEY_BYTES, MAX_RAW_BYTES
from schemas.settings import Settings
from schemas.topics import TRANSACTIONS
from serving.console.letters import Letters
from serving.dead_letter import dead_letter
from serving.inflight import Record

NOON_MS = 1_700_000_000_000
PAYMENT = encode(Transaction(event_id="t", event_time_ms=NOON_MS, user_id="ada", amount=1, merchant_id="m"))


def long_value(offset: int) -> bytes:
    error = UnreadableError("3000000 bytes, more than an event may have", "too_large")
    return letter(offset, b"ada", b"x" * 3_000_000, error)


def long_key(offset: int) -> bytes:
    return letter(offset, b"k" * (MAX_KEY_BYTES + 1), PAYMENT, InvalidError("not the key of ada", "wrong_key"))


def letter(offset: int, key: bytes, raw: bytes, error: InvalidError | UnreadableError) -> bytes:
    return dead_letter(Record(TRANSACTIONS.name, 1, offset, NOON_MS, key, raw), error, "score_transactions").value


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Settings:
    letters = [long_value(1), long_key(2)]
    monkeypatch.setattr(dead_letters, "read", lambda *_: [Read(None, raw, NOON_MS) for raw in letters])
    return Settings()


def test_a_letter_that_was_cut_is_not_played_back(log):
    done = dead_letters.replay(log.kafka, Choice(), NOON_MS, dry_run=True)
    assert (done.sent, done.left) == ({}, {CUT: 2})


def test_a_key_that_was_cut_may_be_replaced_by_the_user(log):
    done = dead_letters.replay(log.kafka, Choice(), NOON_MS, rekey=True, dry_run=True)
    assert (done.sent, done.left) == ({"transactions": 1}, {CUT: 1})


def test_the_replay_command_says_in_one_line_why_a_cut_letter_stays(log):
    result = CliRunner().invoke(commands.command, ["replay", "--all", "--dry-run"], obj=log)
    assert result.output == f"would play back 0\n2 stay: {CUT}\n"


def test_show_and_list_tell_how_long_the_record_was(log):
    shown = CliRunner().invoke(commands.command, ["show", "transactions-1-1"], obj=log).output
    assert f"bytes     3000000, the letter holds the first {MAX_RAW_BYTES}\n" in shown
    assert "... and 2996000 bytes more; what the letter holds of them with --raw\n" in shown
    listed = CliRunner().invoke(commands.command, ["list", "--json"], obj=log).output
    sizes = {one["event_id"]: one["bytes"] for one in json.loads(listed.splitlines()[-1])["letters"]}
    assert sizes == {"transactions-1-1": 3_000_000, "transactions-1-2": len(PAYMENT)}


def test_show_does_not_flood_the_terminal_with_a_key(log):
    shown = CliRunner().invoke(commands.command, ["show", "transactions-1-2"], obj=log).output
    assert f"kkk... of {MAX_KEY_BYTES + 1} bytes\n" in shown
    assert len(shown) < 10_000


def test_the_console_shows_the_length_of_the_record():
    letters = Letters()
    letters.take(msgspec.json.decode(long_value(1), type=DeadLetter))
    assert [one.bytes for one in letters.view().letters] == [3_000_000]

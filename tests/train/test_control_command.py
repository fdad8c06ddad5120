"""`sluice control` publishes what a job would accept, and nothing else."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from infra import control_topic
from infra.cli import control as commands
from schemas import control
from schemas.control import Blocklist, Flag, Maturity, OnlineModel, Policy, Rule, Thresholds
from schemas.errors import InputError, NotFoundError
from schemas.events import ControlRecord
from schemas.settings import Settings
from serving.control import Control


@pytest.fixture
def log(monkeypatch) -> list[ControlRecord]:
    """The control topic, in memory."""
    records: list[ControlRecord] = []

    def current(_kafka):
        newest = {control_topic.key(record): record for record in records}
        return {key: record for key, record in newest.items() if not control_topic.is_deletion(record)}

    monkeypatch.setattr(control_topic, "send", lambda _kafka, sent: records.extend(sent))
    monkeypatch.setattr(control_topic, "current", current)
    return records


def _run(*words: str) -> str:
    found = CliRunner().invoke(commands.command, words, obj=Settings())
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.stdout


def _newest(log: list[ControlRecord]):
    return control.payload(log[-1])


def test_a_rule_is_published_as_the_job_reads_it(log):
    words = (
        "--kind",
        "amount",
        "--action",
        "BLOCK",
        "--reason",
        "too_much",
        "--parameter",
        "limit=500",
        "--note",
        "why",
    )
    _run("set-rule", "big", *words)
    assert _newest(log) == Rule("amount", "BLOCK", "too_much", {"limit": 500.0})
    assert (control_topic.key(log[-1]), log[-1].note) == ("rule/big", "why")
    state = Control(lambda _: pytest.fail("no model is loaded"))
    state.apply(log[-1])
    assert "rule/big" in _run("list")


def test_a_rule_may_be_put_on_trial(log):
    """It stands in the trace of decisions and changes none."""
    _run("set-rule", "big", "--kind", "amount", "--action", "APPROVE", "--reason", "x", "--parameter", "limit=1")
    assert _newest(log) == Rule("amount", "APPROVE", "x", {"limit": 1.0})


def test_a_rule_that_no_job_would_take_is_refused(log):
    with pytest.raises(InputError, match="limit"):
        _run("set-rule", "big", "--kind", "amount", "--action", "BLOCK", "--reason", "x")
    with pytest.raises(InputError, match="KEY=VALUE"):
        _run("set-rule", "big", "--kind", "amount", "--action", "BLOCK", "--reason", "x", "--parameter", "limit")
    with pytest.raises(InputError, match="length"):
        _run("set-rule", "b" * 65, "--kind", "amount", "--action", "BLOCK", "--reason", "x", "--parameter", "limit=1")
    assert log == []


def test_ids_come_onto_a_blocklist_and_off_again(log):
    _run("block", "card", "c2", "c1")
    _run("block", "card", "c3")
    assert _newest(log) == Blocklist("card", ["c1", "c2", "c3"])
    _run("unblock", "card", "c1", "c3")
    assert _newest(log) == Blocklist("card", ["c2"])
    with pytest.raises(NotFoundError, match="does not hold c9"):
        _run("unblock", "card", "c9")
    with pytest.raises(InputError, match="holds card ids"):
        _run("block", "user", "u1", "--name", "card")


def test_thresholds_change_one_by_one_and_for_a_segment(log):
    _run("thresholds", "--review", "0.2")
    _run("thresholds", "--block", "0.8", "--segment", "vip")
    assert _newest(log) == Policy(Thresholds(0.2, 0.7, 0.9), {"vip": Thresholds(0.2, 0.7, 0.8)})
    _run("thresholds", "--challenge", "0.6")
    assert _newest(log) == Policy(Thresholds(0.2, 0.6, 0.9), {"vip": Thresholds(0.2, 0.7, 0.8)})
    for words in (("--review", "0.95"), ("--block", "1.5"), ()):
        with pytest.raises(InputError, match="threshold"):
            _run("thresholds", *words)
    assert len(log) == 3


def test_flags_and_removal(log):
    _run("flag", "shadow", "on")
    assert _newest(log) == Flag(True)
    _run("remove", "flag", "shadow")
    assert _newest(log) is None
    with pytest.raises(NotFoundError, match="no flag/shadow"):
        _run("remove", "flag", "shadow")


@pytest.mark.stack
def test_what_is_sent_to_the_topic_is_what_is_read_from_it():
    name = "test-control-command"
    try:
        _run("flag", name, "on", "--note", "a test")
        (line,) = [text for text in _run("list", "--kind", "flag").splitlines() if f"flag/{name} " in text]
        assert json.loads(line.split(maxsplit=1)[1]) == {"enabled": True}
    finally:
        _run("remove", "flag", name)
    assert name not in _run("list")


def test_an_online_model_and_a_maturity_are_published_as_the_jobs_read_them(log):
    _run("set-online", "one", "--learner", "fraud-logistic", "--mode", "member", "--weight", "0.3")
    assert _newest(log) == OnlineModel("fraud-logistic", "member", weight=0.3)
    _run("set-maturity", "click-30min", "--source", "click", "--days", "0.5", "--share", "0.2")
    assert _newest(log) == Maturity("click", 0.5, 0.2)
    with pytest.raises(InputError, match=r"Expected `float` <= 1\.0 - at `\$\.weight`"):
        _run("set-online", "one", "--learner", "fraud-logistic", "--weight", "2")
    _run("remove", "maturity", "click-30min")
    assert _newest(log) is None

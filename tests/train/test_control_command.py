"""`sluice control` publishes what a job would accept, and nothing else."""

from __future__ import annotations

import json

import pytest
from click import UsageError
from click.testing import CliRunner

from infra import control_topic
from infra.cli import control as commands
from infra.learner_changes import roll_back
from infra.learners_in_force import online_models
from infra.topic_reader import Read
from schemas import control
from schemas.codec import encode
from schemas.control import (
    Blocklist,
    Experiment,
    Flag,
    KindWeight,
    Maturity,
    OnlineModel,
    Policy,
    RecommendPolicy,
    Rule,
    SourceShare,
    Thresholds,
    Variant,
)
from schemas.control_records import By, control_record
from schemas.errors import InputError, NotFoundError
from schemas.events import ControlRecord
from schemas.settings import Settings
from serving.control import Control
from serving.recommend.control import MOST_EXPERIMENTS, RecommendControl
from serving.recommend.sources import trending


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


@pytest.mark.parametrize("given", ["", "u" * 65])
def test_an_id_that_no_event_could_have_is_refused_by_a_blocklist(log, given):
    with pytest.raises(InputError, match=r"Expected `str` of length .* - at `\$\.ids\[0\]`; see `sluice control"):
        _run("block", "user", given)
    assert log == []


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


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("kind", control.PAYLOADS)
def test_every_kind_can_be_removed_but_pointers_to_models_and_audit_records(kind):
    refusal = UsageError if kind in {"model", "audit"} else NotFoundError
    with pytest.raises(refusal):
        commands.command.main(["remove", kind, "nobody"], obj=Settings(), standalone_mode=False)


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
    assert control.payload(log[-2]) == OnlineModel("fraud-logistic", "member", weight=0.3)
    _run("set-maturity", "click-30min", "--source", "click", "--days", "0.5", "--share", "0.2")
    assert _newest(log) == Maturity("click", 0.5, 0.2)
    with pytest.raises(InputError, match=r"Expected `float` <= 1\.0 - at `\$\.weight`"):
        _run("set-online", "one", "--learner", "fraud-logistic", "--weight", "2")
    _run("remove", "maturity", "click-30min")
    assert _newest(log) is None


def test_what_is_set_and_removed_by_hand_leaves_an_audit_record_and_is_taken_back(log):
    def now() -> dict[str, OnlineModel]:
        return online_models(control_topic.current(None).values())

    _run("set-online", "one", "--learner", "fraud-logistic", "--mode", "member", "--note", "a trial")
    _run("remove", "online_model", "one")
    assert [record.kind for record in log] == ["online_model", "audit"] * 2
    assert log[1].note == "a trial"
    for audit, (before, after) in zip(log[1::2], [("none", "member"), ("member", "none")], strict=True):
        said = control.payload(audit).detail
        assert [before in said["before"], after in said["modes"]] == [before != "none", True]
    log.extend(roll_back(control_topic.current(None), "fraud-logistic", By("tester", log[-1].event_time_ms + 1)))
    assert now() == {"one": OnlineModel("fraud-logistic", "member")}
    log.extend(roll_back(control_topic.current(None), "fraud-logistic", By("tester", log[-1].event_time_ms + 2)))
    assert now() == {}


def test_nobody_becomes_champion_without_the_gate(log):
    with pytest.raises(InputError, match="use `sluice learners promote fraud-logistic`"):
        _run("set-online", "one", "--learner", "fraud-logistic", "--mode", "champion")
    assert log == []


def test_the_policy_of_lists_changes_in_what_is_given_and_goes_back_to_the_defaults(log):
    _run("set-recommend", "--diversity", "0.5", "--source", "trending=0", "--no-rule", "bought", "--note", "why")
    first = _newest(log)
    assert (first.diversity, first.explore, first.rules) == (0.5, 0.1, ("stock", "banned"))
    assert first.sources == {"trending": SourceShare(0, trending.SHARE.weight)}
    _run("set-recommend", "--explore", "0.2", "--source", "linear=50:0.25", "--rule", "seen", "--rebuy-hours", "24")
    second = _newest(log)
    assert (second.diversity, second.explore, second.rules) == (0.5, 0.2, ("stock", "banned", "seen"))
    assert second.sources == first.sources | {"linear": SourceShare(50, 0.25)}
    assert second.rebuy_hours == 24.0
    _run("set-recommend", "--kind", "rating=1:3", "--kind", "time_spent=0.2::10", "--banned-flag", "recalled")
    third = _newest(log)
    assert third.kinds == {"rating": KindWeight(1.0, least=3.0), "time_spent": KindWeight(0.2, whole=10.0)}
    assert third.banned_flags == ("recalled",)
    _run("set-recommend", "--rebuy-hours", "never", "--no-answer-impressions", "--most-per-minute", "0")
    assert (_newest(log).rebuy_hours, _newest(log).answer_impressions) == (None, False)
    job = RecommendControl(lambda _: pytest.fail("no model is loaded"))
    for record in log:
        job.apply(record)
    assert job.policy == _newest(log)
    assert "recommend_policy/recommend" in _run("list", "--kind", "recommend_policy")
    _run("remove", "recommend_policy", "recommend")
    job.apply(log[-1])
    assert job.policy == RecommendPolicy()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--source", "nonsense=1"], "no such source; known: linear"),
        (["--source", "linear"], "give NAME=QUOTA"),
        (["--source", "linear=1:2:3"], "give NAME=QUOTA"),
        (["--source", "linear=1001"], "<= 1000"),
        (["--source", "linear=many"], "'many' is no number"),
        (["--rule", "nonsense"], "no rule 'nonsense'"),
        (["--no-rule", "nonsense"], "no such rule"),
        (["--kind", "nonsense=1"], "nonsense"),
        (["--kind", "rating=-1"], ">= 0"),
        (["--rebuy-hours", "soon"], "'soon' is no number"),
        ([], "nothing is given"),
        (["--diversity", "0.3"], "nothing is given"),
    ],
)
def test_a_policy_of_lists_that_no_job_would_take_is_refused(log, words, message):
    with pytest.raises(InputError, match=message):
        _run("set-recommend", *words)
    assert log == []


@pytest.mark.parametrize(("option", "value"), [("--diversity", "1.1"), ("--most-per-minute", "65"), ("--ranked", "19")])
def test_a_number_of_a_policy_beyond_its_bounds_is_refused_at_the_keyboard(log, option, value):
    found = CliRunner().invoke(commands.command, ["set-recommend", option, value], obj=Settings())
    assert (found.exit_code, log) == (2, [])
    assert option in found.stderr


VARIANTS = """
[[variants]]
name = "bold"
percent = 50
explore = 0.3
sources = {trending = {quota = 200, weight = 1.0}}

[[variants]]
name = "calm"
percent = 10
explore = 0
"""


def test_an_experiment_is_what_its_file_says_until_it_is_removed(log, tmp_path):
    (tmp_path / "lists.toml").write_text(VARIANTS)
    assert "experiment/lists is in force" in _run("set-experiment", "lists", str(tmp_path / "lists.toml"))
    bold, calm = (Variant("bold", 50, {"trending": SourceShare(200, 1.0)}, explore=0.3), Variant("calm", 10, explore=0))
    assert control.payload(log[-1]) == Experiment((bold, calm))
    _run("remove", "experiment", "lists")
    job = RecommendControl(lambda _: pytest.fail("no model is loaded"))
    for record in log:
        job.apply(record)
    assert job.chosen("u1").variants == {}


def test_an_experiment_beyond_the_bound_is_not_published_but_one_that_runs_may_be_replaced(log, tmp_path):
    (tmp_path / "lists.toml").write_text(VARIANTS)
    for number in range(MOST_EXPERIMENTS):
        _run("set-experiment", f"e{number}", str(tmp_path / "lists.toml"))
    with pytest.raises(InputError, match=r"e0, e1, e2, e3 run already, .* remove one with"):
        _run("set-experiment", "a", str(tmp_path / "lists.toml"))
    assert len(log) == MOST_EXPERIMENTS
    _run("set-experiment", "e0", str(tmp_path / "lists.toml"))
    _run("remove", "experiment", "e0")
    assert "experiment/a is in force" in _run("set-experiment", "a", str(tmp_path / "lists.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory; give a TOML file"),
        ("[[variants", "lists.toml"),
        (VARIANTS.replace("10", "51"), "add up to more than 100"),
        (VARIANTS.replace("trending", "moon"), "no source 'moon'"),
        (VARIANTS.replace("calm", "bold"), "names of their own"),
        (VARIANTS.replace("explore", "exploration"), "exploration"),
    ],
)
def test_an_experiment_that_no_job_would_take_is_refused(log, tmp_path, text, message):
    if text is not None:
        (tmp_path / "lists.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        _run("set-experiment", "lists", str(tmp_path / "lists.toml"))
    assert log == []


def test_what_a_tombstone_deleted_is_not_in_force(monkeypatch):
    """Tools of Kafka delete so; our own commands write a payload of null."""
    by = By("tester", 1)
    made = [control_record("flag", name, Flag(True), by) for name in ("kept", "gone", "back")]
    told = [(control_topic.key(record).encode(), encode(record)) for record in made]
    stream = [*told, (b"flag/gone", None), (b"flag/back", None), (None, None), (b"flag/never", None), told[2]]
    monkeypatch.setattr(control_topic, "read", lambda *_: (Read(key, value, 1) for key, value in stream))
    assert list(control_topic.current(Settings().kafka)) == ["flag/kept", "flag/back"]

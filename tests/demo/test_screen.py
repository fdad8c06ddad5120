"""What is shown, on a terminal and elsewhere."""

import importlib
import io

import click
import pytest
from demo_builders import decision, payment
from rich.console import Console

from infra.cli import COMMANDS as CLI
from infra.demo import decision_view, farewell, list_view, recommend
from infra.demo.list_board import Change, ListPicture
from infra.demo.scoreboard import Scoreboard
from infra.demo.screen import Screen
from infra.demo.steps import Steps
from schemas.models import Calibration, Signature
from schemas.settings import Settings

MODEL = Signature(
    name="fraud",
    version="3",
    framework="xgboost",
    feature_set="f1",
    inputs=[],
    input_tensor="x",
    output_tensor="y",
    calibration=Calibration([0, 1], [0, 1]),
    onnx_sha256="",
    trained_from_ms=0,
    trained_to_ms=1,
    training_rows=1,
    training_frauds=1,
    training_data="a year of payments",
    parameters={},
    code_version="0",
)


def _board():
    board = Scoreboard()
    for event_id, pattern, kind, reasons in (
        ("a", "card_testing", "BLOCK", ["card_testing"]),
        ("b", "", "REVIEW", ["model_score"]),
        ("c", "", "APPROVE", []),
    ):
        board.sent(payment(event_id, pattern))
        board.answered(decision(event_id, kind, reasons), 1_042.0)
    board.sent(payment("d"))
    return board


def _console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=140, color_system=None)


def test_a_terminal_shows_decisions_latency_fraud_lag_and_who_was_stopped_for_what():
    console = _console(terminal=True)
    screen = Screen(console, 60)
    with screen.on():
        screen.show(decision_view.view(_board().picture(0.0)), 7.0)
    shown = console.file.getvalue()
    for expected in (
        "7 of 60 s",
        "APPROVE 1  REVIEW 1  CHALLENGE 0  BLOCK 1",
        "p99 42 ms",
        "caught 1 of 1 (100.0%)",
        "false alarms 1 of 2 (50.0%)",
        "lag 1",
        "u1 at m1",
        "card_testing  (fraud: card testing)",
        "model_score  (a good payment)",
    ):
        assert expected in shown


def _lists(**figures):
    given = {"sent": 90, "answered": 88, "sent_per_s": 30.0, "answered_per_s": 29.0, "p50_ms": 40.0, "p95_ms": 80.0}
    before, after = ["A (books)", "B (men)"], ["B (men)", "C (pets)"]
    change = Change("d2000-u000007", "Blue Mug 5 (kitchen)", 61.4, before, after, 9, 20)
    given |= {"p99_ms": 95.0, "wanted": 40, "hits": 10, "popular_hits": 3, "items": 1000, "listed": 512, "alike": 0.31}
    return ListPicture(**(given | {"sources": {"linear": 120, "fresh": 40}, "change": change} | figures))


def test_a_terminal_shows_lists_their_hits_beside_the_most_popular_sources_and_one_that_changed():
    console = _console(terminal=True)
    screen = Screen(console, 60)
    with screen.on():
        screen.show(list_view.view(_lists()), 7.0)
    shown = console.file.getvalue()
    for expected in (
        "88 lists, 29/s, lag 2",
        "p99 95 ms",
        "in the list 10 of 40 (25.0%) clicks and purchases; among the 20 most popular 3 of 40 (7.5%)",
        "512 of 1,000 (51.2%) items shown, likeness within a list 0.31",
        "linear 75%  fresh 25%",
        "d2000-u000007 clicks Blue Mug 5 (kitchen); 61 ms later 9 of 20 places are new",
        "C (pets)",
    ):
        assert expected in shown


def test_before_the_first_list_there_is_something_to_show_too():
    console = _console(terminal=True)
    screen = Screen(console, 60)
    with screen.on():
        screen.show(list_view.view(_lists(sources={}, change=None, wanted=0, hits=0, popular_hits=0)), 0.0)
    shown = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert "sources         none yet" in shown
    assert "a list changes  none yet" in shown
    assert "in the list 0 of 0 clicks" in console.file.getvalue()


def test_the_ending_sums_up_the_lists_and_names_the_shopper_whose_list_was_shown():
    text = recommend.ending(Settings(), "recommend@1: a year of shoppers", _lists())
    assert "in the list 10 of 40" in text
    assert "recommend@1: a year of shoppers" in text
    assert "/recommendations/d2000-u000007?n=5&price_max=20" in text


def test_without_a_terminal_there_is_a_plain_line_every_five_seconds():
    console = _console(terminal=False)
    screen = Screen(console, 60)
    with screen.on():
        for second in range(12):
            screen.show(decision_view.view(_board().picture(float(second))), float(second))
    lines = console.file.getvalue().splitlines()
    assert [line.split(" s")[0].strip() for line in lines] == ["0", "5", "10"]
    assert "\x1b" not in console.file.getvalue()
    assert "BLOCK 1" in lines[0]


def test_a_step_is_shown_when_it_begins_and_with_its_result_when_it_ends():
    console = _console(terminal=False)
    with Steps(console).step("model") as tell:
        tell("half way")
        tell("fraud@1")
    first, last = console.file.getvalue().splitlines()
    assert first == "model ..."
    assert last.endswith(" s  model: fraud@1")


def test_a_step_that_fails_does_not_claim_to_have_ended():
    console = _console(terminal=True)
    try:
        with Steps(console).step("model"):
            raise KeyError
    except KeyError:
        pass
    assert "0.0 s  model" not in console.file.getvalue()


@pytest.mark.parametrize("commands", [farewell.COMMANDS, recommend.COMMANDS])
def test_the_farewell_names_only_commands_and_options_that_exist(commands):
    for line in commands:
        words = line.split()
        assert words[0] == "sluice"
        assert words[1] in CLI
        command = importlib.import_module(f"infra.cli.{words[1].replace('-', '_')}").command
        if isinstance(command, click.Group):
            command = command.commands[words[2]]
        given = {word for word in words if word.startswith("--")} - {"--help"}
        assert given <= {name for parameter in command.params for name in parameter.opts}


def test_the_farewell_sums_up_and_names_the_model_and_the_last_stopped_customer():
    text = farewell.farewell(Settings(), MODEL, _board().picture(0.0))
    assert "caught 1 of 1" in text
    assert "/s" not in text[: text.index("To look further")], "the last seconds are those of waiting"
    assert "fraud@3: a year of payments" in text
    assert "/users/u1/decisions" in text

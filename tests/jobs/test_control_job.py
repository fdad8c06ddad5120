"""Rules, blocklists and thresholds in the running scoring job: changed at the command line, without a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec
import pytest
from click.testing import CliRunner
from scoring_loop import Loop

from infra import control_topic
from infra.cli import control as commands
from schemas.settings import Settings

# From the command's return to a decision under the new rule, on a busy machine.
SECONDS = 15


class Person:
    """Who changes things at the command line, and puts everything back."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self._before = control_topic.current(given.kafka)

    def types(self, *words: str) -> float:
        """Run the command; returns when it was done."""
        done = CliRunner().invoke(commands.command, words, obj=self._given, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return time.monotonic()

    def leaves(self, *keys: str) -> None:
        for key in keys:
            kind, name = key.split("/")
            if key in self._before:
                now_ms = time.time_ns() // 1_000_000
                again = msgspec.structs.replace(self._before[key], event_id=f"again-{now_ms}", event_time_ms=now_ms)
                control_topic.send(self._given.kafka, [again])
            elif key in control_topic.current(self._given.kafka):
                self.types("remove", kind, name)


@pytest.fixture
def person(stack: Settings, loop: Loop) -> Iterator[Person]:
    made = Person(stack)
    yield made
    made.leaves(f"rule/{loop.name}", f"blocklist/{loop.name}", "policy/default")


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_rule_a_blocklist_and_thresholds_take_force_within_seconds(loop, person):
    mine = loop.name
    rule = ("--kind", "amount", "--reason", "mine", "--parameter", "limit=99", "--segment", mine)

    since = person.types("set-rule", mine, "--action", "APPROVE", *rule)
    loop.decided(lambda decision: "APPROVE" in {hit.action for hit in decision.rules if hit.rule == mine}, mine)
    assert time.monotonic() - since < SECONDS

    since = person.types("set-rule", mine, "--action", "BLOCK", *rule)
    blocked = loop.decided(lambda decision: "mine" in decision.reasons, mine)
    assert time.monotonic() - since < SECONDS
    assert blocked.decision == "BLOCK"

    person.types("remove", "rule", mine)
    since = person.types("block", "user", mine, "--name", mine)
    blocked = loop.decided(lambda decision: "blocklist_user" in decision.reasons, mine)
    assert time.monotonic() - since < SECONDS
    assert (blocked.decision, [hit.rule for hit in blocked.rules if hit.rule == mine]) == ("BLOCK", [])

    person.types("unblock", "user", mine, "--name", mine)
    # A model that gives every payment more than 0.5.
    loop.publish(0.01, 10)
    loop.switch("champion")
    loop.decided(lambda decision: "model_score" in decision.reasons, mine)
    since = person.types("thresholds", "--segment", mine, "--review", "1", "--challenge", "1", "--block", "1")
    loop.decided(lambda decision: decision.score > 0.5 and "model_score" not in decision.reasons, mine)
    assert time.monotonic() - since < SECONDS

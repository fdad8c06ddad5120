"""Rules, blocklists, thresholds and models in the running scoring job: changed at the command line, no restart."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner
from scoring_loop import Loop

from infra import control_topic
from infra.cli import control as commands
from infra.cli import models
from schemas.events import Decision
from schemas.settings import Settings
from schemas.topics import CONTROL
from serving.registry import Registry
from tests import small_fraud_model

# From the command's return to a decision under the new rule, on a busy machine.
SECONDS = 15


class Person:
    """Who changes things at the command line, and puts everything back."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self._before = control_topic.current(given.kafka)

    def types(self, *words: str, of: click.Command = commands.command) -> float:
        """Run the command; returns when it was done."""
        done = CliRunner().invoke(of, words, obj=self._given, catch_exceptions=False)
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


class Promoted:
    """A model of its own with two versions in the registry, which differ in nothing but their numbers.

    Under a name of its own, so that versions, stages and history of the champion's name stay as they are.
    """

    def __init__(self, given: Settings, loop: Loop) -> None:
        self.name = f"promoted-{loop.name}"
        self.registry = Registry(Path(given.registry.path))
        self.in_force = loop.decided(lambda _: True).model
        self.first, self.second = (
            small_fraud_model.registered(given, "tester", time.time_ns() // 1_000_000, self.name) for _ in range(2)
        )
        # The model of each decision, in the order of the payments.
        self.decided: list[str] = []

    def by(self, version: str, decision: Decision) -> bool:
        self.decided.append(decision.model)
        return decision.model == f"{self.name}@{version}"


@pytest.fixture
def promoted(stack: Settings, loop: Loop) -> Iterator[Promoted]:
    person, made = Person(stack), Promoted(stack, loop)
    yield made
    # The champion of before comes first: no payment in between is without a model.
    if made.in_force:
        person.leaves(f"model/{made.in_force.partition('@')[0]}")
    loop.send(CONTROL, f"model/{made.name}", None)
    try:
        loop.decided(lambda decision: decision.model == made.in_force)
    finally:
        shutil.rmtree(made.registry.root / made.name)


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_promotion_and_a_rollback_take_force_within_seconds_and_no_payment_is_without_a_model(loop, person, promoted):
    def wait_for(version: str, since: float) -> None:
        loop.decided(lambda decision: promoted.by(version, decision))
        assert time.monotonic() - since < SECONDS
        assert promoted.registry.champion(promoted.name) == version

    first, second = promoted.first, promoted.second
    wait_for(first, person.types("promote", promoted.name, first, of=models.command))
    # They are as good as each other, so the gate asks.
    wait_for(second, person.types("promote", promoted.name, second, "--yes", of=models.command))
    wait_for(first, person.types("rollback", promoted.name, of=models.command))
    changes = [model for model, _ in groupby([promoted.in_force, *promoted.decided])]
    assert changes == [promoted.in_force, *(f"{promoted.name}@{version}" for version in (first, second, first))]

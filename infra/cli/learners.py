"""`sluice learners`"""

from __future__ import annotations

from contextlib import suppress

import click
import msgspec

from infra import control_topic, learner_changes, learner_policy, wall_clock
from infra.author import author
from infra.cli.bounds import Finite
from infra.force import Force
from infra.learner_gate import told
from infra.learners_in_force import online_models, passed_over
from infra.topic_reader import read
from online_learning import catalogue
from online_learning.course import BETWEEN_MS
from online_learning.definition import Definition
from schemas.codec import decode
from schemas.control import Audit, OnlineModel
from schemas.control_records import By, of_type
from schemas.errors import EventError
from schemas.events import ControlRecord, Snapshot
from schemas.instants import minute
from schemas.settings import Settings
from schemas.topics import SNAPSHOTS

NOTE = click.option("--note", default="", help="Why, for the audit record.")


@click.group()
def command() -> None:
    """Learners: which there are, how they do, and the way from shadow to champion and back."""


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def list_learners(settings: Settings, as_json: bool) -> None:
    """Every learner with its mode, what it learned from, and how it stands against the champion."""
    snapshots, modes = _snapshots(settings), _modes(_records(settings))
    names = [entry.name for entry in catalogue.LEARNERS]
    names += sorted(set(snapshots) - set(names))
    click.echo(f"{'learner':<22}{'task':<11}{'mode':<10}{'examples':>12}  against the champion")
    found = {}
    for name in names:
        snapshot, mode = snapshots.get(name), modes.get(name, "none")
        task = snapshot.task if snapshot else catalogue.definition(name).task
        examples = f"{snapshot.examples:,}" if snapshot else "-"
        click.echo(f"{name:<22}{task:<11}{mode:<10}{examples:>12}  {told(snapshot)}")
        found[name] = {"task": task, "mode": mode, "metrics": snapshot.metrics if snapshot else {}}
    if as_json:
        click.echo(msgspec.json.encode(found).decode())


@command.command()
@click.argument("name")
@click.pass_obj
def show(settings: Settings, name: str) -> None:
    """A learner's definition, its mode, the figures of its newest snapshot, and what was changed."""
    snapshot = _snapshots(settings).get(name)
    records = _records(settings)
    if snapshot is None:
        # Raises for a name that is neither learned nor defined.
        catalogue.definition(name)
    for entry in catalogue.LEARNERS:
        if entry.name == name:
            click.echo(_defined(entry))
    click.echo(f"mode: {_modes(records).get(name, 'none')}")
    if snapshot is not None:
        click.echo(f"snapshot of {snapshot.examples:,} examples until {minute(snapshot.event_time_ms)}")
        click.echo(told(snapshot))
        for metric, value in sorted(snapshot.metrics.items()):
            click.echo(f"  {metric:<34}{value:>14.6g}")
    for record, audit in of_type(sorted(records.values(), key=lambda r: r.event_time_ms), Audit):
        # A response to an alert on the learner has a record too, which changes nothing itself.
        if audit.detail.get("learner") == name and "modes" in audit.detail:
            why = f": {record.note}" if record.note else ""
            when, modes = minute(record.event_time_ms), audit.detail["modes"]
            click.echo(f"{when}  {audit.action} {modes} by {record.author}{why}")


@command.command()
@click.argument("name")
@click.option(
    "--mode", type=click.Choice(["shadow", "member", "champion", "off"]), default="champion", show_default=True
)
@click.option("--weight", type=Finite(0, 1), help="A member's part.  [default: by recent performance]")
@click.option("--yes", is_flag=True, help="Answer the question: a gain that is smaller than asked for is enough.")
@click.option("--force", is_flag=True, help="Override the refusal; needs --note.")
@NOTE
@click.pass_obj
def promote(
    settings: Settings, *, name: str, mode: str, weight: float | None, yes: bool, force: bool, note: str
) -> None:
    """Put a learner into a mode. A champion must have won against the one before; jobs follow within seconds."""
    snapshot = _snapshots(settings).get(name)
    task = snapshot.task if snapshot else catalogue.definition(name).task
    wanted = msgspec.convert({"learner": name, "mode": mode, "task": task, "weight": weight}, OnlineModel)
    records = learner_changes.promote(
        _records(settings), snapshot, wanted, _by(note), Force(yes, force), settings.promotion
    )
    control_topic.send(settings.kafka, records)
    click.echo(f"{name} is {mode} for {task}")


@command.command()
@click.argument("name")
@NOTE
@click.pass_obj
def rollback(settings: Settings, name: str, note: str) -> None:
    """Take a learner's newest change back; what stood before is in force again."""
    records = learner_changes.roll_back(_records(settings), name, _by(note))
    control_topic.send(settings.kafka, records)
    restored = [f"{r.name} {bytes(r.payload).decode()}" for r in records if r.kind == "online_model"]
    click.echo(f"in force again: {', '.join(restored)}")


@command.command()
@click.pass_obj
def settle(settings: Settings) -> None:
    """Do now what the policy says: promote who won, set aside a champion that lost, name who waits for an answer."""
    records = _records(settings)
    sent, asked = learner_policy.by_policy(records, _snapshots(settings).values(), settings.promotion, _by("").at_ms)
    if sent:
        control_topic.send(settings.kafka, sent)
    promoted = [r.name for r in sent if r.kind == "online_model" and b'"champion"' in bytes(r.payload)]
    click.echo(f"promoted: {', '.join(promoted) or 'none'}")
    modes = _modes(records)
    for name in asked:
        way = "--mode shadow" if modes.get(name) == "champion" else "--yes"
        click.echo(f"waits for an answer: sluice learners promote {name} {way}")


def _defined(entry: Definition) -> str:
    features = ", ".join(entry.features) or f"all{''.join(f' but {name}' for name in sorted(entry.without))}"
    return (
        f"{entry.description}\n"
        f"task {entry.task}, kind {entry.kind}, judged by {entry.metric}\n"
        f"feature set {entry.feature_set}, features {features}\n"
        f"errors are watched by {entry.detector}; when they drift: {', '.join(entry.reactions) or 'nothing'}\n"
        f"a snapshot leaves every {entry.snapshot_every:,} examples, "
        f"and every {BETWEEN_MS // 60_000} minutes in which fewer came; replay {entry.replay:.0%}, seed {entry.seed}"
    )


def _records(settings: Settings) -> dict[str, ControlRecord]:
    """What is in force; what can not be read is told of, as every job passes it over."""
    records = control_topic.current(settings.kafka)
    for line in passed_over(records.values()):
        click.echo(f"passed over: {line}", err=True)
    return records


def _snapshots(settings: Settings) -> dict[str, Snapshot]:
    found: dict[str, Snapshot] = {}
    for raw in read(settings.kafka, SNAPSHOTS.name):
        # What can not be read is no learner's model to any reader.
        with suppress(EventError):
            if raw.value is None:
                found.pop((raw.key or b"").decode(errors="replace"), None)
            else:
                snapshot = decode(Snapshot, raw.value)
                found[snapshot.learner] = snapshot
    return found


def _modes(records: dict[str, ControlRecord]) -> dict[str, str]:
    return {model.learner: model.mode for model in online_models(records.values()).values()}


def _by(note: str) -> By:
    return By(author(), wall_clock.now_ms(), note)

"""`sluice control`"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast, get_args

import click
import msgspec

from infra import control_topic, wall_clock
from infra.author import author
from infra.cli import online_models
from infra.cli.bounds import DAYS, SHARE, Finite
from schemas import codec, control
from schemas.control import (
    Blocklist,
    Experiment,
    Flag,
    KindWeight,
    Maturity,
    OnlineMode,
    OnlineModel,
    Policy,
    RecommendPolicy,
    Rule,
    SourceShare,
    Thresholds,
)
from schemas.control_records import By, control_record
from schemas.errors import EventError, InputError, NotFoundError
from schemas.events import ControlKind, ControlRecord, DecisionKind
from schemas.models import FRAUD, RECOMMEND
from schemas.settings import Settings
from serving.control import Control
from serving.model import Model
from serving.recommend.artifact import Artifact
from serving.recommend.control import MOST_EXPERIMENTS, RecommendControl
from serving.recommend.rules.catalogue import RULES
from serving.recommend.sources.catalogue import NAMES as SOURCES
from serving.recommend.sources.catalogue import shares
from serving.rules.catalogue import KINDS

ENTITIES = ("user", "merchant", "device", "card", "ip", "country")
ACTIONS = get_args(DecisionKind)
# Without its pointer a task has no model: another version takes its place (`sluice models`). An audit record is there
# to stay.
REMOVABLE = sorted(control.PAYLOADS.keys() - {"model", "audit"})
P = TypeVar("P", Policy, Blocklist, RecommendPolicy)
M = TypeVar("M", Blocklist, OnlineModel, Maturity, RecommendPolicy, Experiment, SourceShare, KindWeight)
NOTE = click.option("--note", default="", help="Why: it is kept beside the record.")


@click.group()
def command() -> None:
    """Rules, blocklists, thresholds and flags: seen and changed while the jobs run."""


@command.command(name="list")
@click.option("--kind", type=click.Choice(list(control.PAYLOADS)), help="Only this kind.")
@click.pass_obj
def list_records(settings: Settings, kind: str | None) -> None:
    """What is in force now, a JSON payload a line."""
    for key, record in sorted(control_topic.current(settings.kafka).items()):
        if kind in {None, record.kind}:
            click.echo(f"{key:<32} {bytes(record.payload).decode()}")


@command.command(name="set-rule")
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), required=True, help="What the rule looks at.")
@click.option("--action", type=click.Choice(ACTIONS), required=True, help="APPROVE: on trial, told of and no more.")
@click.option("--reason", required=True, help="The reason code that decisions carry.")
@click.option("--parameter", "parameters", multiple=True, help="KEY=VALUE, as often as needed.")
@click.option("--segment", default="", help="Only payments of this segment.")
@click.option("--disabled", is_flag=True, help="Keep the rule, but let it rest.")
@NOTE
@click.pass_obj
def set_rule(
    settings: Settings,
    *,
    name: str,
    kind: str,
    action: str,
    reason: str,
    parameters: tuple[str, ...],
    segment: str,
    disabled: bool,
    note: str,
) -> None:
    """Add a rule or replace the one of that name."""
    given = dict(_parameter(text) for text in parameters)
    rule = Rule(kind, cast("DecisionKind", action), reason, given, not disabled, segment)
    _publish(settings, "rule", name, rule, note)


@command.command()
@click.argument("entity", type=click.Choice(ENTITIES))
@click.argument("ids", nargs=-1, required=True)
@click.option("--name", help="Name of the list.  [default: ENTITY]")
@NOTE
@click.pass_obj
def block(settings: Settings, *, entity: str, ids: tuple[str, ...], name: str | None, note: str) -> None:
    """Put ids on a blocklist, beside those that are on it."""
    name = name or entity
    _publish(settings, "blocklist", name, _changed(settings, name, entity, add=set(ids), remove=set()), note)


@command.command()
@click.argument("entity", type=click.Choice(ENTITIES))
@click.argument("ids", nargs=-1, required=True)
@click.option("--name", help="Name of the list.  [default: ENTITY]")
@NOTE
@click.pass_obj
def unblock(settings: Settings, *, entity: str, ids: tuple[str, ...], name: str | None, note: str) -> None:
    """Take ids off a blocklist."""
    name = name or entity
    _publish(settings, "blocklist", name, _changed(settings, name, entity, add=set(), remove=set(ids)), note)


@command.command()
@click.option("--review", type=Finite(0), help="Scores above it are reviewed.")
@click.option("--challenge", type=Finite(0), help="Scores above it are challenged.")
@click.option("--block", type=Finite(0), help="Scores above it are blocked.")
@click.option("--segment", help="For this segment in place of everybody's.")
@NOTE
@click.pass_obj
def thresholds(
    settings: Settings,
    *,
    review: float | None,
    challenge: float | None,
    block: float | None,
    segment: str | None,
    note: str,
) -> None:
    """Change decision thresholds; those not given stay as they are."""
    policy = _present(settings, "policy", "default", Policy) or Policy()
    before = policy.of(segment or "")
    wanted = {"review": review, "challenge": challenge, "block": block}
    given = {name: value for name, value in wanted.items() if value is not None}
    if not given:
        raise InputError("no threshold is given; use --review, --challenge or --block")
    try:
        after = msgspec.convert(msgspec.structs.asdict(before) | given, Thresholds)
    except msgspec.ValidationError as error:
        raise InputError(f"thresholds: {error}") from error
    if segment:
        policy = Policy(policy.thresholds, policy.segments | {segment: after})
    else:
        policy = Policy(after, policy.segments)
    _publish(settings, "policy", "default", policy, note)


@command.command()
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@NOTE
@click.pass_obj
def flag(settings: Settings, name: str, state: str, note: str) -> None:
    """Turn a flag on or off."""
    _publish(settings, "flag", name, Flag(state == "on"), note)


@command.command(name="set-online")
@click.argument("name")
@click.option("--learner", required=True, help="Whose newest snapshot scores.")
@click.option("--mode", type=click.Choice(get_args(OnlineMode)), default="shadow", show_default=True)
@click.option("--task", type=click.Choice([FRAUD, RECOMMEND]), default=FRAUD, show_default=True)
@click.option("--weight", type=Finite(0), help="A member's part in the score.  [default: by recent performance]")
@NOTE
@click.pass_obj
def set_online(
    settings: Settings, *, name: str, learner: str, mode: str, task: str, weight: float | None, note: str
) -> None:
    """Let an online model score in the stream: told of only, or with a part in the score.

    A champion has to pass a gate: sluice learners promote. What is set here, too, sluice learners rollback takes back.
    """
    fields = {"learner": learner, "mode": mode, "task": task, "weight": weight}
    online_models.publish(settings, name, _converted(fields, OnlineModel), note)


@command.command(name="set-maturity")
@click.argument("name")
@click.option("--source", type=click.Choice(["chargeback", "click", "conversion"]), required=True)
@click.option("--days", type=Finite(0), required=True, help="So long after the answer.")
@click.option("--share", type=Finite(0), default=0.01, show_default=True, help="Of the answers; they stand for all.")
@NOTE
@click.pass_obj
def set_maturity(settings: Settings, *, name: str, source: str, days: float, share: float, note: str) -> None:
    """Say when an answer without a label of that source counts as a negative."""
    _publish(settings, "maturity", name, _converted({"source": source, "days": days, "share": share}, Maturity), note)


@command.command(name="set-recommend")
@click.option("--source", "sources", multiple=True, help="NAME=QUOTA or NAME=QUOTA:WEIGHT; quota 0 switches it off.")
@click.option("--kind", "kinds", multiple=True, help="KIND=WEIGHT, KIND=WEIGHT:LEAST or KIND=WEIGHT:LEAST:WHOLE.")
@click.option("--rule", "rules", multiple=True, help="Switch a rule on.")
@click.option("--no-rule", "no_rules", multiple=True, help="Switch a rule off.")
@click.option("--banned-flag", "flags", multiple=True, help="A flag of items that bans them; replaces those of before.")
@click.option("--candidates", type=click.IntRange(20, 1000), help="What sources bring.")
@click.option("--ranked", type=click.IntRange(20, 200), help="What the ranker scores.")
@click.option("--length", type=click.IntRange(1, 20), help="Items of a list.")
@click.option("--diversity", type=SHARE, help="How much unlikeness weighs beside relevance.")
@click.option("--explore", type=SHARE, help="Share of the places that are drawn.")
@click.option("--explore-new-user", type=SHARE, help="The same for a user of whom little is known.")
@click.option("--new-user-events", type=click.IntRange(0, 1000), help="A user with fewer interactions is new.")
@click.option("--new-item-boost", type=SHARE, help="What newness adds to a score.")
@click.option("--new-item-days", type=DAYS, help="The boost halves so often.")
@click.option("--rebuy-hours", help="What was bought is offered again after so long, or `never`.")
@click.option(
    "--most-per-minute", type=click.IntRange(0, 64), help="More of one user teach the shop nothing; 0 = no limit."
)
@click.option("--answer-impressions/--no-answer-impressions", default=None, help="Whether what was shown gets lists.")
@NOTE
@click.pass_obj
def set_recommend(
    settings: Settings,
    /,
    *,
    sources: tuple[str, ...],
    kinds: tuple[str, ...],
    rules: tuple[str, ...],
    no_rules: tuple[str, ...],
    flags: tuple[str, ...],
    rebuy_hours: str | None,
    note: str,
    **numbers: float | None,
) -> None:
    """Change how lists are made; what is not given stays as it is."""
    present = _present(settings, "recommend_policy", RECOMMEND, RecommendPolicy) or RecommendPolicy()
    if unknown := sorted(set(no_rules) - set(RULES)):
        raise InputError(f"--no-rule {unknown[0]}: no such rule; known: {', '.join(RULES)}")
    kept = dict.fromkeys((*present.rules, *rules))
    fields: dict[str, object] = {
        "sources": present.sources | dict(_source(text, present) for text in sources),
        "kinds": present.kinds | dict(_kind(text) for text in kinds),
        "rules": tuple(name for name in kept if name not in no_rules),
        "banned_flags": flags or present.banned_flags,
        **{name: value for name, value in numbers.items() if value is not None},
    }
    if rebuy_hours is not None:
        fields["rebuy_hours"] = None if rebuy_hours == "never" else _number("--rebuy-hours", rebuy_hours)
    given = msgspec.to_builtins(msgspec.structs.asdict(present) | fields)
    policy = _converted(given, RecommendPolicy)
    if policy == present:
        raise InputError("nothing is given that would change a list; see `sluice control set-recommend --help`")
    _publish(settings, "recommend_policy", RECOMMEND, policy, note)


@command.command(name="set-experiment")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@NOTE
@click.pass_obj
def set_experiment(settings: Settings, name: str, file: Path, note: str) -> None:
    """Split users over variants of how lists are made, as a TOML file says.

    A variant is a table [[variants]] with name, percent and what it changes: diversity, explore, explore_new_user,
    new_item_boost, and sources with quota and weight. The other users are in the variant control.
    """
    try:
        given = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"experiment {file}: {error.strerror}; give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"experiment {file}: {error}") from error
    current = control_topic.current(settings.kafka).values()
    running = sorted(record.name for record in current if record.kind == "experiment" and record.name != name)
    if len(running) >= MOST_EXPERIMENTS:
        raise InputError(
            f"experiment {name}: {', '.join(running)} run already, and no more than {MOST_EXPERIMENTS} may; "
            "remove one with `sluice control remove experiment NAME`"
        )
    _publish(settings, "experiment", name, _converted(given, Experiment), note)


@command.command()
@click.argument("kind", type=click.Choice(REMOVABLE))
@click.argument("name")
@NOTE
@click.pass_obj
def remove(settings: Settings, kind: ControlKind, name: str, note: str) -> None:
    """Delete a record; thresholds, maturity and the policy of lists go back to the defaults."""
    if f"{kind}/{name}" not in control_topic.current(settings.kafka):
        raise NotFoundError(f"control has no {kind}/{name}; see `sluice control list`")
    if kind == "online_model":
        online_models.publish(settings, name, None, note)
    else:
        _publish(settings, kind, name, None, note)


def _changed(settings: Settings, name: str, entity: str, *, add: set[str], remove: set[str]) -> Blocklist:
    present = _present(settings, "blocklist", name, Blocklist)
    if present is not None and present.entity != entity:
        raise InputError(f"blocklist {name} holds {present.entity} ids; give another --name for {entity} ids")
    ids = set(present.ids) if present else set()
    if missing := remove - ids:
        raise NotFoundError(f"blocklist {name} does not hold {', '.join(sorted(missing))}; see `sluice control list`")
    return _converted({"entity": entity, "ids": sorted((ids | add) - remove)}, Blocklist)


def _converted(fields: Mapping[str, object], kind: type[M], *, strict: bool = True) -> M:
    try:
        return msgspec.convert(fields, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}; see `sluice control --help`") from error


def _present(settings: Settings, kind: str, name: str, type_: type[P]) -> P | None:
    record = control_topic.current(settings.kafka).get(f"{kind}/{name}")
    found = control.payload(record) if record else None
    return found if isinstance(found, type_) else None


def _source(text: str, present: RecommendPolicy) -> tuple[str, SourceShare]:
    name, (quota, weight) = _split("--source", text, "QUOTA or NAME=QUOTA:WEIGHT", 2)
    if name not in SOURCES:
        raise InputError(f"--source {name}: no such source; known: {', '.join(SOURCES)}")
    before = dict(zip(SOURCES, shares(present), strict=True))[name]
    fields = {"quota": quota, "weight": before.weight if weight is None else weight}
    return name, _converted(fields, SourceShare, strict=False)


def _kind(text: str) -> tuple[str, KindWeight]:
    name, (weight, least, whole) = _split("--kind", text, "WEIGHT, KIND=WEIGHT:LEAST or KIND=WEIGHT:LEAST:WHOLE", 3)
    return name, _converted({"weight": weight, "least": least, "whole": whole}, KindWeight)


def _split(option: str, text: str, shape: str, most: int) -> tuple[str, list[float | None]]:
    name, equals, rest = text.partition("=")
    numbers = rest.split(":")
    if not equals or not name or len(numbers) > most:
        raise InputError(f"{option} {text}: give NAME={shape}")
    # An empty place is one that is not given, as in KIND=1::30.
    found = [_number(option, number) if number else None for number in numbers]
    return name, found + [None] * (most - len(found))


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{option}: {text!r} is no number") from None


def _parameter(text: str) -> tuple[str, float | str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--parameter {text}: give KEY=VALUE")
    try:
        return name, float(value)
    except ValueError:
        return name, value


def _publish(settings: Settings, kind: ControlKind, name: str, payload: control.Payload | None, note: str) -> None:
    """Try the record on a control state of our own, as the job will, and publish it if it is taken."""
    made = control_record(kind, name, payload, By(author(), wall_clock.now_ms(), note))
    try:
        record = codec.decode(ControlRecord, codec.encode(made))
        Control(_no_model).apply(record)
        RecommendControl(_no_artifact).apply(record)
    except EventError as error:
        raise InputError(str(error)) from error
    control_topic.send(settings.kafka, [record])
    click.echo(f"{kind}/{name} " + ("is in force" if payload is not None else "is removed"))


def _no_artifact(_pointer: control.ModelPointer) -> Artifact:
    raise InputError("models are promoted with `sluice models promote`")


def _no_model(_pointer: control.ModelPointer) -> Model:
    raise InputError("models are promoted with `sluice models promote`")

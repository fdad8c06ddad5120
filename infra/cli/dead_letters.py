"""`sluice dead-letters`"""

from __future__ import annotations

from typing import Any

import click
import msgspec

from infra import dead_letters, wall_clock
from infra.cli.span import Span
from infra.dead_letters import Choice
from schemas.errors import InputError
from schemas.events import DeadLetter
from schemas.instants import second
from schemas.settings import Settings

SHOWN_BYTES = 4_000

REASON = click.option("--reason", help="Only letters with this reason.")
SINCE = click.option("--since", type=Span(), help="Only those that came in the last 90s, 30m, 1h, 7d.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")


@click.group()
def command() -> None:
    """Records that could not be processed: see them, see why, and play them back after a fix."""


@command.command(name="list")
@REASON
@SINCE
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Show the newest N.")
@JSON
@click.pass_obj
def list_letters(settings: Settings, *, reason: str | None, since: int | None, limit: int, as_json: bool) -> None:
    """How many there are by reason, and the newest of them."""
    found = dead_letters.overview(settings.kafka, Choice(reason, _since_ms(since)), limit)
    waiting = found.waiting()
    for letter in found.newest:
        state = "replayed" if letter.event_id in found.replayed else "waiting"
        click.echo(
            f"{second(letter.event_time_ms)}  {letter.event_id:<28} {printable(letter.reason):<16} {state:<9} "
            f"{printable(letter.detail)[:120]}"
        )
    by_reason = ", ".join(f"{count} {printable(name)}" for name, count in waiting.most_common())
    click.echo(f"{waiting.total()} waiting{f': {by_reason}' if by_reason else ''}; {_replayed(found)} played back")
    if found.foreign:
        click.echo(f"{found.foreign} records on the topic are no dead letters")
    if as_json:
        letters = [_described(letter, found) for letter in found.newest]
        summary = {"waiting": waiting, "replayed": _replayed(found), "foreign": found.foreign, "letters": letters}
        click.echo(msgspec.json.encode(summary).decode())


@command.command()
@click.argument("letter_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Only the record's bytes, unchanged.")
@click.pass_obj
def show(settings: Settings, letter_id: str, raw: bool) -> None:
    """One letter: where it came from, why it is here, and its bytes as text."""
    found = dead_letters.overview(settings.kafka, Choice(ids=frozenset({letter_id})), 1)
    letter = found.newest[0]
    if raw:
        click.echo(letter.raw, nl=False)
        return
    source, replayed_ms = letter.source, found.replayed.get(letter_id)
    lines = {
        "id": letter_id,
        "reason": letter.reason,
        "detail": letter.detail,
        "arrived": second(letter.event_time_ms),
        "source": f"{source.topic}, partition {source.partition}, offset {source.offset}",
        "job": letter.job,
        "key": _key(letter),
        "replayed": "no" if replayed_ms is None else second(replayed_ms),
        "bytes": f"{letter.raw_bytes}, the letter holds the first {len(letter.raw)}"
        if letter.raw_bytes
        else str(len(letter.raw)),
    }
    for name, text in lines.items():
        click.echo(f"{name:<10}{printable(text)}")
    click.echo(printable(_text(letter.raw[:SHOWN_BYTES])))
    if len(letter.raw) > SHOWN_BYTES:
        which = "what the letter holds of them" if letter.raw_bytes else "all of them"
        click.echo(f"... and {(letter.raw_bytes or len(letter.raw)) - SHOWN_BYTES} bytes more; {which} with --raw")


@command.command()
@REASON
@SINCE
@click.option("--id", "ids", multiple=True, metavar="ID", help="This letter; may be given more than once.")
@click.option("--all", "everything", is_flag=True, help="Every letter that was not played back yet.")
@click.option("--rekey", is_flag=True, help="Where the key was wrong, use the event's user or item id.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@JSON
@click.pass_obj
def replay(
    settings: Settings,
    *,
    reason: str | None,
    since: int | None,
    ids: tuple[str, ...],
    everything: bool,
    rekey: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put records back on the topic they came from, under their own key, each once."""
    if not (reason or since or ids or everything):
        raise InputError("nothing is chosen; give --reason, --since, --id or --all")
    choice = Choice(reason, _since_ms(since), frozenset(ids))
    done = dead_letters.replay(settings.kafka, choice, wall_clock.now_ms(), rekey=rekey, dry_run=dry_run)
    to = ", ".join(f"{count} to {topic}" for topic, count in sorted(done.sent.items()))
    click.echo(f"{'would play back' if dry_run else 'played back'} {done.sent.total()}{f': {to}' if to else ''}")
    for cause, count in sorted(done.left.items()):
        click.echo(f"{count} stay: {cause}")
    if done.before:
        click.echo(f"{done.before} were played back before")
    if as_json:
        summary = {"sent": done.sent, "left": done.left.total(), "before": done.before, "dry_run": dry_run}
        click.echo(msgspec.json.encode(summary).decode())


def printable(text: str) -> str:
    """The text with what a terminal would obey written as escapes: anybody may have sent it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _key(letter: DeadLetter) -> str:
    if letter.key is None:
        return "none"
    shown = _text(letter.key[:SHOWN_BYTES])
    whole_bytes = letter.key_bytes or len(letter.key)
    return shown if whole_bytes <= SHOWN_BYTES else f"{shown}... of {whole_bytes} bytes"


def _text(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def _replayed(found: dead_letters.Overview) -> int:
    return len(found.reasons.keys() & found.replayed.keys())


def _described(letter: DeadLetter, found: dead_letters.Overview) -> dict[str, Any]:
    """The letter without its bytes, which may be many: `show --raw` has them."""
    replayed_ms = found.replayed.get(letter.event_id)
    shown: dict[str, Any] = {**msgspec.structs.asdict(letter), "bytes": letter.raw_bytes or len(letter.raw)}
    shown["replayed_ms"] = replayed_ms
    return {name: value for name, value in shown.items() if name not in {"raw", "raw_bytes", "schema_version"}}


def _since_ms(since: int | None) -> int:
    return 0 if since is None else wall_clock.now_ms() - since

"""What `sluice generate` and `sluice replay` show while they publish, and the summary they end with."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click
import msgspec
from rich.console import Console

from infra import publish
from schemas.events import Event
from schemas.instants import second
from schemas.settings import Settings


def send(events: Iterable[Event], settings: Settings, pace: publish.Pace, compression: str) -> publish.Summary:
    """Publish events with a progress line on a terminal's stderr; a notice first, for the broker may need seconds."""
    console = Console(stderr=True)
    with console.status(f"connecting to Kafka at {settings.kafka.bootstrap}") as line:
        client = publish.connect(settings.kafka, compression=compression)

        def show(progress: publish.Progress) -> None:
            per_s = progress.sent / progress.seconds if progress.seconds else 0.0
            slip = f", {progress.slip_ms:.0f} ms behind schedule" if progress.slip_ms >= 1 else ""
            line.update(f"{progress.sent:,} sent, {per_s:,.0f}/s, event time {second(progress.event_time_ms)}{slip}")

        return publish.publish(publish.records(events), client, pace, on_progress=show)


def finish(summary: publish.Summary, as_json: bool, **more: Any) -> None:
    """Print the summary, as one JSON object on the last line if asked; exit code 130 after Ctrl-C."""
    stopped = "stopped by Ctrl-C after " if summary.interrupted else ""
    slip = f", at most {summary.max_slip_ms:,.1f} ms behind schedule" if summary.max_slip_ms else ""
    click.echo(
        f"{stopped}{summary.sent:,} events published in {summary.seconds:,.1f} s, {summary.per_s:,.0f}/s, "
        f"{summary.bytes / 1e6:,.1f} MB{slip}; last event time {second(summary.last_event_time_ms)}"
    )
    if as_json:
        click.echo(msgspec.json.encode(msgspec.structs.asdict(summary) | more).decode())
    if summary.interrupted:
        sys.exit(130)

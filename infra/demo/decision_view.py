"""What the demo of payments shows: decisions, how long they took, how right they were, and who was stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

from rich.text import Text

from infra.demo.scoreboard import Picture, Stopped
from infra.demo.screen import View, flow_figures, flow_totals, latency_figure, share
from schemas.events import DecisionKind

NAMES = ("payments", "decisions")
COLOURS = {"APPROVE": "green", "REVIEW": "yellow", "CHALLENGE": "magenta", "BLOCK": "red"}


def view(picture: Picture) -> View:
    """The whole of it."""
    flowing = [*flow_figures(picture, *NAMES), *_figures(picture)]
    return View(flowing, "last stopped", [_stopped(stopped) for stopped in picture.stopped])


def totals(picture: Picture) -> list[tuple[str, str]]:
    """Counts and shares by name, of the whole run."""
    return [*flow_totals(picture, *NAMES), *_figures(picture)]


def _figures(picture: Picture) -> list[tuple[str, str]]:
    kinds = "  ".join(f"{kind} {picture.kinds.get(kind, 0):,}" for kind in get_args(DecisionKind))
    caught, alarms = share(picture.caught, picture.frauds), share(picture.false_alarms, picture.goods)
    return [
        ("decisions", kinds),
        latency_figure(picture),
        ("fraud", f"caught {caught}, false alarms {alarms} good payments"),
    ]


def _stopped(stopped: Stopped) -> Text:
    decision = stopped.decision
    at = datetime.fromtimestamp(decision.event_time_ms / 1000, UTC).strftime("%H:%M:%S")
    truth = f"fraud: {stopped.pattern.replace('_', ' ')}" if stopped.pattern else "a good payment"
    line = Text(f"  {at}  ", no_wrap=True, overflow="ellipsis")
    line.append(f"{decision.decision:<10}", style=COLOURS[decision.decision])
    line.append(
        f"{decision.amount:>10,.2f}  {decision.user_id} at {decision.merchant_id}  "
        f"score {decision.score:.2f}  {', '.join(decision.reasons)}  ({truth})"
    )
    return line

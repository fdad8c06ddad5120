"""What the demo of recommendations shows: lists, how fresh and how good they are, and how one of them changed."""

from __future__ import annotations

from rich.text import Text

from infra.demo.list_board import Change, ListPicture
from infra.demo.screen import View, flow_figures, flow_totals, latency_figure, share

NAMES = ("interactions", "lists")
SOURCES_SHOWN = 6


def view(picture: ListPicture) -> View:
    """The whole of it."""
    flowing = [*flow_figures(picture, *NAMES), *_figures(picture)]
    return View(flowing, "a list changes", [] if picture.change is None else _changed(picture.change))


def totals(picture: ListPicture) -> list[tuple[str, str]]:
    """Counts and shares by name, of the whole run."""
    return [*flow_totals(picture, *NAMES), *_figures(picture)]


def _figures(picture: ListPicture) -> list[tuple[str, str]]:
    places = sum(picture.sources.values())
    sources = list(picture.sources.items())[:SOURCES_SHOWN]
    in_lists, popular = (share(hits, picture.wanted) for hits in (picture.hits, picture.popular_hits))
    shown = share(picture.listed, picture.items)
    return [
        latency_figure(picture),
        ("next item", f"in the list {in_lists} clicks and purchases; among the 20 most popular {popular}"),
        ("lists", f"{shown} items shown, likeness within a list {picture.alike:.2f}"),
        ("sources", "  ".join(f"{name} {count / places:.0%}" for name, count in sources) or "none yet"),
    ]


def _changed(change: Change) -> list[Text]:
    head = Text(f"  {change.user_id} clicks {change.clicked}; {change.took_ms:.0f} ms later ", no_wrap=True)
    head.append(f"{change.fresh} of {change.length} places are new", style="green")
    lines = [head]
    for before, after in zip(change.before, change.after, strict=False):
        line = Text(f"    {before:<36} ", no_wrap=True, overflow="ellipsis", style="dim")
        line.append(after, style="default" if after in change.before else "green")
        lines.append(line)
    return lines

"""Plots as inline SVG: nothing to load, and colours from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 300, 90
GAP = 2


def bars(reference: Sequence[float], current: Sequence[float], edges: Sequence[float], title: str) -> str:
    """Shares of bins side by side: the reference and the window."""
    if not reference or len(reference) != len(current):
        return ""
    top = max(*reference, *current, 1e-9)
    step = WIDTH / len(reference)
    shapes = []
    for place, (before, now) in enumerate(zip(reference, current, strict=True)):
        said = f"{_range(place, edges)}: {before:.1%} before, {now:.1%} now"
        shapes.append(
            f"<g><title>{escape(said)}</title>"
            f"{_bar('before', place * step, step / 2, before / top)}"
            f"{_bar('now', place * step + step / 2, step / 2 - GAP, now / top)}</g>"
        )
    return _svg("".join(shapes), title)


def line(values: Sequence[float], limit: float, title: str) -> str:
    """A value over time, the oldest left, with its limit as a dashed line."""
    top = max([*values, limit, 1e-9]) * 1.1
    points = [
        (WIDTH * place / max(len(values) - 1, 1), HEIGHT * (1 - value / top)) for place, value in enumerate(values)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    level = HEIGHT * (1 - limit / top)
    marks = f'<line class="limit" x1="0" x2="{WIDTH}" y1="{level:.1f}" y2="{level:.1f}"/>' if limit > 0 else ""
    x, y = points[-1]
    return _svg(
        f'{marks}<polyline class="line" points="{path}"/><circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>', title
    )


def _bar(kind: str, x: float, width: float, share: float) -> str:
    height = HEIGHT * share
    return f'<rect class="{kind}" x="{x:.1f}" y="{HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _range(place: int, edges: Sequence[float]) -> str:
    if not edges:
        return f"kind {place + 1}"
    if place == 0:
        return f"up to {edges[0]:g}"
    if place == len(edges):
        return f"above {edges[-1]:g}"
    return f"{edges[place - 1]:g} to {edges[place]:g}"


def _svg(content: str, title: str) -> str:
    return (
        f'<svg viewBox="-4 -4 {WIDTH + 8} {HEIGHT + 8}" role="img" aria-label="{escape(title, quote=True)}">'
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>{content}</svg>'
    )

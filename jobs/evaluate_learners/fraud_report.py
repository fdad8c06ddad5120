"""The weeks of the fraud stream as a table, as figures, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from jobs.evaluate_learners.fraud_stream import NAMES, Run
from schemas.instants import day

FONT: Final = 'font-family="sans-serif" font-size="12"'
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 60, 150, 40, 50
# Distances of the lines across, of which there are a dozen at most.
SPACINGS: Final = (0.01, 0.02, 0.05, 0.1)
MOST_LINES: Final = 10
COLOURS: Final = dict(zip(NAMES, ("#777777", "#d08000", "#70a070", "#0060b0"), strict=True))


def table(run: Run) -> str:
    """Average precision of each week; those that settings were chosen on are marked and left out of the means."""
    lines = ["\nfraud-handbook: average precision by week, labels after 7 days"]
    lines.append(f"{'week from':<14}{'payments':>10}{'frauds':>8}" + "".join(f"{name:>18}" for name in NAMES))
    for week in run.weeks:
        mark = "" if week.reported else "  (for choosing)"
        cells = "".join(f"{week.figures[name]['average_precision']:>18.4f}" for name in NAMES)
        lines.append(f"{day(week.from_ms):<14}{week.payments:>10,}{week.frauds:>8,}{cells}{mark}")
    found = figures(run)
    for title, key in (
        ("mean of weeks", "average_precision_of_weeks"),
        ("all at once", "average_precision"),
        ("AUC ROC", "roc_auc"),
        ("recall 1 % FPR", "recall_at_1pct_fpr"),
    ):
        lines.append(f"{title:<32}" + "".join(f"{found[name][key]:>18.4f}" for name in NAMES))
    return "\n".join(lines)


def figures(run: Run) -> dict[str, dict[str, float]]:
    """Of the reported weeks: all payments at once, and the mean of the weeks."""
    weeks = [week for week in run.weeks if week.reported]
    return {
        name: run.reported[name]
        | {"average_precision_of_weeks": sum(w.figures[name]["average_precision"] for w in weeks) / len(weeks)}
        for name in NAMES
    }


def picture(run: Run) -> str:
    """A line for each answer over the weeks, as an SVG that needs nothing else."""
    values = [week.figures[name]["average_precision"] for week in run.weeks for name in NAMES]
    spacing = next(one for one in SPACINGS if (max(values) - min(values)) / one <= MOST_LINES)
    low, high = math.floor(min(values) / spacing) * spacing, math.ceil(max(values) / spacing) * spacing
    across = (WIDTH - LEFT - RIGHT) / max(len(run.weeks) - 1, 1)

    def at(place: int, value: float) -> tuple[float, float]:
        return LEFT + place * across, TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">Average precision by week, labels after 7 days</text>',
    ]
    for step in range(round((high - low) / spacing) + 1):
        value = low + step * spacing
        x, y = at(0, value)
        parts.append(f'<line x1="{x}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    chosen = sum(not week.reported for week in run.weeks)
    if chosen:
        width = across * (chosen - 0.5)
        parts.append(
            f'<rect x="{LEFT}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}" fill="#888888" '
            f'opacity="0.12"/><text x="{LEFT + width / 2:.1f}" y="{TOP + 14}" text-anchor="middle">for choosing</text>'
        )
    for place, week in enumerate(run.weeks):
        x, _ = at(place, low)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{day(week.from_ms)[5:]}</text>'
        )
    parts += _lines(run, at)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lines(run: Run, at: Callable[[int, float], tuple[float, float]]) -> list[str]:
    parts = []
    last = {name: run.weeks[-1].figures[name]["average_precision"] for name in NAMES}
    # Names stand beside the ends of their lines, kept apart where these meet.
    heights: list[float] = []
    for name in sorted(NAMES, key=lambda n: -last[n]):
        points = [at(place, week.figures[name]["average_precision"]) for place, week in enumerate(run.weeks)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"/>')
        height = max([points[-1][1] + 4, *(above + 16 for above in heights)])
        heights.append(height)
        parts.append(f'<text x="{points[-1][0] + 8:.1f}" y="{height:.1f}" fill="{COLOURS[name]}">{name}</text>')
    return parts

"""A window's sketch against its reference, as drift reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from schemas.models import Distribution, Reference
from schemas.watching import DriftLevel, DriftReport
from serving.drift.compare import CHANCE, Comparison, compare
from serving.drift.correction import adjusted
from serving.drift.hysteresis import Held
from serving.drift.measures.chi_square import chi_square
from serving.drift.measures.psi import by_chance, psi
from serving.drift.measures.range_ratio import range_ratio
from serving.drift.sketch import MICRO, Sketch
from serving.features.catalogue import CYCLES_MS

# Levels of PSI (X1): investigate, alert; and beyond the third, train again.
MODERATE, SIGNIFICANT, RETRAIN = 0.1, 0.2, 0.25
# Of KL over 50 bins (DRF-3), and the fewest rows on which it is judged: forty a bin. Answers of one user within an hour
# are alike, so a few hundred of them fill fine bins unevenly without any drift. A level stays where rows are too few.
DIVERGENCE, DIVERGENCE_ROWS = (0.05, 0.1), 2_000
# Features whose p-value, corrected for their number, is below this have changed at all.
ALPHA = 0.01
# Of the score alone (DRF-5).
SCORE_ALPHA, SCORE_SHIFT = 0.05, 2.0
NULLS = (0.02, 0.05)
OUTSIDE = (0.01, 0.05)
UNREAD = (1e-9, 0.01)
# Times a bound of the training data (ALR-8). Never significant: a single value may be a broken record.
RANGE = (2.0, np.inf)
# Beyond a bound by what chance does in fewer windows than this, where a tail falls as slowly as 1 / x.
RANGE_CHANCE = 0.01
# What the columns are called that are no features.
SCORE, RECONSTRUCTION, MIX, VECTOR, NAMES = "score", "reconstruction", "mix", "vector", "names"


class Mixes(NamedTuple):
    """Shares in the model's first day: of the kinds of its answers, and of the names that came most often."""

    kinds: dict[str, float]
    heavy: dict[str, float]


class Window(NamedTuple):
    """What a report is of. `hold` gives and keeps the level of a subject; the next such report comes in `every_ms`."""

    model: str
    segment: str
    start_ms: int
    end_ms: int
    every_ms: int
    hold: Callable[[str, float, tuple[float, float], bool], Held]


def of_window(
    sketch: Sketch,
    names: list[str],
    reference: Reference,
    mixes: Mixes | None,
    window: Window,
    *,
    compared: bool = True,
) -> Iterator[DriftReport]:
    """Every report of one window. `names` are the sketch's columns before the score and the reconstruction.

    `mixes` is None before the first day is over. Not `compared` is a segment whose own first day is not over: what is
    missing, out of range or of another shape is told of it, for that asks for no distribution.
    """
    yield _report(
        window, "feature", VECTOR, "unread_share", sketch.unread / (sketch.rows + sketch.unread), UNREAD, sketch.rows
    )
    if not sketch.rows:
        return
    # Before the first day is over the running day is a part of one.
    whole_ms = 0 if mixes is None else window.end_ms - window.start_ms
    yield from _features(sketch, names, reference, window, whole_ms, compared=compared)
    if not compared:
        return
    place = len(names)
    found = _compare(sketch, place, reference.score, reference.rows)
    if found is not None:
        likely = found.p_value < SCORE_ALPHA and found.psi > found.chance
        yield _psi(window, "score", SCORE, found, found.p_value, likely=likely)
        shift = abs(sketch.score_micro / MICRO / sketch.rows - reference.score.mean) / max(
            reference.score.deviation, 1e-9
        )
        yield _report(window, "score", SCORE, "mean_shift", shift, (SCORE_SHIFT / 2, SCORE_SHIFT), sketch.rows)
    if reference.components is not None:
        found = _compare(sketch, place + 1, reference.components.error, reference.rows)
        if found is not None:
            likely = found.p_value < ALPHA and found.psi > found.chance
            yield _psi(window, "multivariate", RECONSTRUCTION, found, found.p_value, likely=likely)
    if mixes is not None:
        yield _mix(sketch.kinds, sketch.rows, mixes.kinds, window, "decisions", MIX)
        if mixes.heavy:
            known = {name: count for name, count in sketch.heaviest() if name in mixes.heavy}
            yield _mix(known, sketch.rows, mixes.heavy, window, "feature", NAMES)


def _features(
    sketch: Sketch, names: list[str], reference: Reference, window: Window, whole_ms: int, *, compared: bool
) -> Iterator[DriftReport]:
    """`whole_ms` is the longest cycle that the window surely holds a whole one of."""
    comparisons: list[tuple[str, Comparison]] = []
    for place, name in enumerate(names):
        nulls, outside = sketch.odd[place] / sketch.rows
        for measure, share, limits in (("null_share", nulls, NULLS), ("outside_share", outside, OUTSIDE)):
            report = _report(window, "feature", name, measure, float(share), limits, sketch.rows)
            # Nothing to say of most features, most of the time.
            if share > 0 or report.since_ms == report.event_time_ms:
                yield report
        yield from _range(sketch, place, reference, name, window)
        if not compared or CYCLES_MS.get(name, 0) > whole_ms:
            continue
        found = _compare(sketch, place, reference.features[name], reference.rows)
        if found is not None:
            comparisons.append((name, found))
    corrected = adjusted([found.p_value for _, found in comparisons])
    for (name, found), p_value in zip(comparisons, corrected, strict=True):
        report = _psi(window, "feature", name, found, p_value, likely=p_value < ALPHA and found.psi > found.chance)
        yield report
        # The last time when it is over: what began with one of them ends with it.
        drifted = _tells(report)
        if found.rows >= DIVERGENCE_ROWS:
            divergence = _divergence(window, name, found, len(comparisons))
            if drifted or _tells(divergence):
                yield divergence
        if drifted:
            yield from _others(report, found, reference.features[name])


def _tells(report: DriftReport) -> bool:
    """Whether the report is at a level, or has just left one."""
    return report.level != "none" or report.since_ms == report.event_time_ms


def _divergence(window: Window, name: str, found: Comparison, columns: int) -> DriftReport:
    """KL has a level of its own: what moves within the ten bins of PSI leaves that as it was.

    Its limits alone say little where rows are few: chance makes it (bins - 1) / (2 * rows) in the mean. So it must be
    more than chance does to any of the window's `columns` once in 1 / CHANCE windows.
    """
    likely = found.divergence_p_value < CHANCE / columns
    held = window.hold(f"feature/{name}/kullback_leibler", found.kullback_leibler, DIVERGENCE, likely)
    return _made(
        window, "feature", name, "kullback_leibler", found.kullback_leibler, DIVERGENCE[1], held, found.rows,
        found.divergence_p_value, edges=found.edges, reference=found.reference, current=found.current,
    )  # fmt: skip


def _range(sketch: Sketch, place: int, reference: Reference, name: str, window: Window) -> Iterator[DriftReport]:
    """The smallest and the largest value against the training's, where they are far off, or are so no more."""
    known = reference.features[name]
    least, greatest = sketch.extremes[place].tolist()
    if known.low is None or known.high is None or least > greatest:
        return
    ratio = range_ratio((known.low, known.high), (least, greatest))
    # The largest of n values is so many times the largest of T others with the probability n / (T * ratio), at most.
    likely = sketch.rows < RANGE_CHANCE * ratio * reference.rows
    held = window.hold(f"feature/{name}/range_ratio", ratio, RANGE, likely)
    if held.level != "none" or held.since_ms == window.end_ms:
        yield _made(window, "feature", name, "range_ratio", ratio, RANGE[0], held, sketch.rows, None)


def _others(report: DriftReport, found: Comparison, reference: Distribution) -> Iterator[DriftReport]:
    """What the other measures say of a column that drifted; the level is PSI's."""
    scaled = found.wasserstein / reference.deviation if reference.deviation > 0 else found.wasserstein
    figures = {
        "jensen_shannon": (found.jensen_shannon, 0.1),
        "wasserstein": (scaled, 0.1),
    }
    if found.discrete:
        figures["chi_square"] = (found.chi_square, ALPHA)
    else:
        figures["kolmogorov_smirnov"] = (found.kolmogorov_smirnov, ALPHA)
    for measure, (value, limit) in figures.items():
        yield DriftReport(
            event_id=_id(
                report.model, report.segment, measure, report.name, report.window_start_ms, report.window_end_ms
            ),
            event_time_ms=report.event_time_ms,
            model=report.model,
            subject=report.subject,
            name=report.name,
            segment=report.segment,
            measure=measure,
            value=value,
            limit=limit,
            level=report.level,
            samples=report.samples,
            window_start_ms=report.window_start_ms,
            window_end_ms=report.window_end_ms,
            since_ms=report.since_ms,
            p_value=report.p_value,
            every_ms=report.every_ms,
        )


def _mix(
    counts: dict[str, int], rows: int, shares: dict[str, float], window: Window, subject: str, name: str
) -> DriftReport:
    """Categories in alphabetical order, what is none of them last."""
    kinds = sorted(shares.keys() | counts.keys())
    before = np.array([shares.get(kind, 0.0) for kind in kinds])
    now = np.array([counts.get(kind, 0) for kind in kinds], np.float64)
    before, now = np.append(before, max(1 - before.sum(), 0.0)), np.append(now, max(rows - now.sum(), 0.0))
    current = now / now.sum()
    _, p_value = chi_square(before * rows, now)
    value = psi(before, current)
    # The shares are of the model's first day, taken as known: it has more rows than a window that is at its limit.
    chance = by_chance(len(kinds) + 1, rows, rows, CHANCE)
    held = window.hold(f"{subject}/{name}/psi", value, (MODERATE, SIGNIFICANT), p_value < ALPHA and value > chance)
    return _made(
        window, subject, name, "psi", value, SIGNIFICANT, held, rows, p_value,
        reference=before.tolist(), current=current.tolist(), action=_action(value, held.level),
    )  # fmt: skip


def _compare(sketch: Sketch, place: int, reference: Distribution, rows: int) -> Comparison | None:
    """None where the window has no number in that column."""
    counts = sketch.counts[place]
    if not counts.any():
        return None
    return compare(reference, rows, counts, (float(sketch.extremes[place, 0]), float(sketch.extremes[place, 1])))


def _psi(window: Window, subject: str, name: str, found: Comparison, p_value: float, *, likely: bool) -> DriftReport:
    held = window.hold(f"{subject}/{name}/psi", found.psi, (MODERATE, SIGNIFICANT), likely)
    return _made(
        window, subject, name, "psi", found.psi, SIGNIFICANT, held, found.rows, p_value,
        edges=found.edges, reference=found.reference, current=found.current, action=_action(found.psi, held.level),
    )  # fmt: skip


def _report(
    window: Window, subject: str, name: str, measure: str, value: float, limits: tuple[float, float], rows: int
) -> DriftReport:
    held = window.hold(f"{subject}/{name}/{measure}", value, limits, True)
    return _made(window, subject, name, measure, value, limits[1], held, rows, None)


def _made(
    window: Window,
    subject: str,
    name: str,
    measure: str,
    value: float,
    limit: float,
    held: Held,
    rows: int,
    p_value: float | None,
    *,
    edges: list[float] | None = None,
    reference: list[float] | None = None,
    current: list[float] | None = None,
    action: str = "",
) -> DriftReport:
    return DriftReport(
        event_id=_id(window.model, window.segment, measure, name, window.start_ms, window.end_ms),
        event_time_ms=window.end_ms,
        model=window.model,
        subject=subject,  # type: ignore[arg-type]  # one of its words, checked where it is encoded
        name=name,
        segment=window.segment,
        measure=measure,
        value=value,
        limit=limit,
        level=held.level,
        samples=rows,
        window_start_ms=window.start_ms,
        window_end_ms=window.end_ms,
        since_ms=held.since_ms,
        p_value=p_value,
        edges=edges or [],
        reference=reference or [],
        current=current or [],
        action=action,
        every_ms=window.every_ms,
    )


def _action(value: float, level: DriftLevel) -> str:
    if level == "none":
        return ""
    return (
        "retrain"
        if value > RETRAIN and level == "significant"
        else "alert"
        if level == "significant"
        else "investigate"
    )


def _id(model: str, segment: str, measure: str, name: str, start_ms: int, end_ms: int) -> str:
    """The same for a report that is written again, and short enough for an id."""
    return f"{sha256('/'.join((model, segment, measure, name)).encode()).hexdigest()[:16]}-{start_ms}-{end_ms}"

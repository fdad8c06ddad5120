"""How a model does over time: figures of whole days, what scores alone made of them and what labels said later."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.measures import CALIBRATION_ERROR, CATCH_RATE, ESTIMATES, FALSE_POSITIVES, FIGURES
from schemas.watching import DriftReport

# What is shown where nobody asked for a figure; then in this order.
FIRST = "average_precision"
ORDER = (FIRST, *(figure for figure in FIGURES if figure != FIRST), CALIBRATION_ERROR, CATCH_RATE, FALSE_POSITIVES)


class PerformanceDay(msgspec.Struct, frozen=True):
    """A figure of the day that ends then, of the version that answered most of it.

    `realised` is what labels say, `estimated` what scores alone did, and `error` by how much estimates have been off in
    the mean; null where it is not told. `limit` is that of the report, 0 where there is none.
    """

    window_end_ms: int
    version: str
    realised: float | None
    estimated: float | None
    error: float | None
    limit: float


class PerformanceAnswer(msgspec.Struct, frozen=True):
    """One figure of a model over the days that are known, oldest first; `figures` are those that could be asked for."""

    model: str
    figure: str
    figures: list[str]
    days: list[PerformanceDay]


def of_model(model: str, figure: str, reports: Iterable[DriftReport]) -> PerformanceAnswer:
    """The days of a model, by reports on the performance of its versions; the first figure where that one has none."""
    days: dict[int, dict[str, dict[str, DriftReport]]] = {}
    for report in reports:
        version = report.model.rpartition("@")[2]
        days.setdefault(report.window_end_ms, {}).setdefault(version, {})[report.measure] = report
    told = {measure for versions in days.values() for found in versions.values() for measure in found}
    figures = [name for name in ORDER if name in told or _estimate(name) in told]
    chosen = figure if figure in figures else next(iter(figures), "")
    shown = []
    for end_ms, versions in sorted(days.items()):
        found = {version: day for version, by in versions.items() if (day := _day(end_ms, version, chosen, by))}
        if found:
            most = max(found, key=lambda version: (max(one.samples for one in versions[version].values()), version))
            shown.append(found[most])
    return PerformanceAnswer(model, chosen, figures, shown)


def _day(end_ms: int, version: str, figure: str, by: dict[str, DriftReport]) -> PerformanceDay | None:
    realised, estimated = by.get(figure), by.get(_estimate(figure))
    told = realised or estimated
    if told is None:
        return None
    return PerformanceDay(
        end_ms,
        version,
        None if realised is None else realised.value,
        None if estimated is None else estimated.value,
        None if estimated is None else estimated.error,
        told.limit,
    )


def _estimate(figure: str) -> str:
    name = f"{figure}_estimated"
    return name if name in ESTIMATES else ""

"""What may lie behind an alert: the features that drifted, ranked by their part in the drift and by the money moved.

A feature's part is by how much it is beyond its limit, as a share of what all are. The money that it moved is the share
of its distribution that lies elsewhere now (half the sum of absolute differences of bins, the total variation distance)
times the money that flowed in its segment while its report's window lasted, an hour or a day: about so much, for it is
not known which payments moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas.watching import Cause, DriftReport

MOST_CAUSES = 5
ALL = ""


def ranked(
    reports: Iterable[DriftReport], money: Callable[[DriftReport], float], most: int = MOST_CAUSES
) -> list[Cause]:
    """The likely causes, the one first that moved most; features at ease are left out.

    `money` is what flowed in the segment and window of a report, in major units. Of several reports on a feature and
    segment the one furthest beyond its limit counts. Without money the part in the drift decides alone.
    """
    worst: dict[tuple[str, str], DriftReport] = {}
    for report in reports:
        place = (report.name, report.segment)
        if (
            report.subject == "feature"
            and report.level != "none"
            and (place not in worst or _beyond(worst[place]) < _beyond(report))
        ):
            worst[place] = report
    total = sum(map(_beyond, worst.values()))
    causes = [
        Cause(
            f"{name} ({segment})" if segment else name,
            _beyond(report) / total,
            round(moved_share(report) * money(report), 2),
        )
        for (name, segment), report in worst.items()
    ]
    causes.sort(key=lambda cause: (-cause.share * cause.money, -cause.share, cause.name))
    return causes[:most]


def moved_share(report: DriftReport) -> float:
    """The share of the distribution that lies in other bins than in the reference, 0 to 1."""
    return sum(abs(now - then) for now, then in zip(report.current, report.reference, strict=False)) / 2


def _beyond(report: DriftReport) -> float:
    """How many times its limit a report is; a limit of zero counts as one, for any value is beyond it."""
    return abs(report.value) / report.limit if report.limit > 0 else 1.0

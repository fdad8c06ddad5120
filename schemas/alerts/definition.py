"""What an alert is before anything has happened: signal, limit, severity, owner, runbook, and test inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from schemas.watching import RELEASE, AlertSeverity, DriftLevel, DriftReport

Owner = Literal["platform", "data", "fraud", "recommend"]
ResponseName = Literal["retrain", "raise-thresholds", "shadow", "rollback"]

# Stands in an expression where the definition's limit belongs, so that the number is written once.
LIMIT = "LIMIT"


@dataclass(frozen=True)
class Expected:
    """An alert that fires: the labels that tell it from others of its name, and its value."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Case:
    """An input of a rule, in promtool's notation of series, and what fires `at` its time.

    `step` is the time between two samples: 15s, or 10m where a rule looks back over days.
    """

    what: str
    series: dict[str, str]
    at: str
    fires: tuple[Expected, ...] = ()
    step: Literal["15s", "10m"] = "15s"


@dataclass(frozen=True)
class Rule:
    """Evaluated by Prometheus: fires once `expr` has given a value for the time `hold`."""

    expr: str
    hold: str
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Reports:
    """Read from `drift-reports`: fires on a report of this subject that has one of the levels, and a value beyond.

    Empty `measures` and `names` mean any. The level says that it is more than chance; `above` and `below` ask for more
    than it does, and an alert that fires goes on until the value is well within them, or the level is left.
    """

    subject: str
    measures: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    above: float | None = None
    below: float | None = None
    levels: tuple[DriftLevel, ...] = ("significant",)

    def covers(self, report: DriftReport) -> bool:
        """Whether the report is about what the alert watches."""
        return (
            report.subject == self.subject
            and (not self.measures or report.measure in self.measures)
            and (not self.names or report.name in self.names)
        )

    def fires(self, report: DriftReport, *, already: bool = False) -> bool:
        """Whether a report that is covered sets the alert off, or keeps it going where it fires `already`."""
        held = RELEASE if already else 1.0
        return (
            report.level in self.levels
            and (self.above is None or report.value > held * self.above)
            and (self.below is None or report.value < self.below / held)
        )


@dataclass(frozen=True)
class Anomalies:
    """Read from `anomalies`: fires on each, and is over when none of its name came for `quiet_ms`."""

    quiet_ms: int


@dataclass(frozen=True)
class Told:
    """Published on `alerts` by the job or learner `by` itself, or found by the alert router."""

    by: str


Signal = Rule | Reports | Anomalies | Told


@dataclass(frozen=True, kw_only=True)
class Definition:
    """An alert of the catalogue.

    `summary` may name labels and `{value:.0f}` as `str.format` does. `ids` are the requirements it answers. `runbook`
    is a page of infra/runbooks. `explained` alerts carry the features that drifted as likely causes.
    """

    name: str
    ids: tuple[str, ...]
    severity: AlertSeverity
    owner: Owner
    limit: float
    unit: str
    summary: str
    action: str
    runbook: str
    signal: Signal
    explained: bool = False
    response: ResponseName | None = None

    def told(self, labels: dict[str, str], value: float) -> str:
        """The summary of one alert; a label that is missing reads as its name."""
        return self.summary.format_map(_Words({**labels, "value": value}))

    @property
    def page(self) -> str:
        """The runbook's path from the root of the repository."""
        return f"infra/runbooks/{self.runbook}.md"

    @property
    def expr(self) -> str:
        """A rule's expression with its limit, on one line."""
        assert isinstance(self.signal, Rule), f"{self.name} is no rule"
        return re.sub(r"\s+", " ", self.signal.expr.replace(LIMIT, f"{self.limit:g}")).strip()


class _Words(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return key

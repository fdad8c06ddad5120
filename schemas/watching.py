"""The events of watching: what drifted, business figures, what is unlikely, and what a person should hear of."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.events import Event, TimeMs, Word
from schemas.units import DAY_MS

DriftLevel = Literal["none", "moderate", "significant"]
DriftSubject = Literal["feature", "score", "decisions", "error", "label", "skew", "multivariate", "performance"]
# A level, and an alert on a value, is left when the value falls below this share of its limit.
RELEASE = 0.8
AlertSeverity = Literal["critical", "high", "warning", "info"]


class DriftReport(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What one measure says of one subject in one window, against the reference it was compared with.

    `subject` is what drifted: a feature, the score, the mix of decisions, the errors of a model or learner; `name` says
    which. `edges` bound the bins of the two distributions, of which `reference` and `current` are shares. `since_ms` is
    when the present level began. `error` is how far estimates of this measure have been off, where the value is one.
    `every_ms` is the time from one such report to the next, 0 where it is not known. The record key is `model`.
    """

    model: str
    subject: DriftSubject
    name: Word
    segment: str = ""
    measure: Word
    value: float
    limit: float
    level: DriftLevel
    samples: int
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    since_ms: TimeMs | None = None
    p_value: float | None = None
    edges: list[float] = []
    reference: list[float] = []
    current: list[float] = []
    action: Word = ""
    error: float | None = None
    every_ms: int = 0

    @property
    def span(self) -> str:
        """`day` for a running or a whole day, `window` for what is shorter: two subjects that drift on their own."""
        return "day" if self.window_end_ms - self.window_start_ms >= DAY_MS else "window"


class Aggregate(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One business figure of one window and segment: volume, amounts, decisions of a kind. The record key is `name`."""

    name: Word
    segment: str = ""
    value: float
    count: int
    window_start_ms: TimeMs
    window_end_ms: TimeMs


class Anomaly(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A figure outside of what its past and its season make likely. The record key is `name`."""

    name: Word
    entity: str = ""
    segment: str = ""
    detector: Word
    value: float
    expected: float
    low: float
    high: float
    score: float
    since_ms: TimeMs | None = None


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may lie behind an alert: its share of the change, and the money that goes with it."""

    name: str
    share: float
    money: float = 0.0


class Alert(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a person should hear of, or that is over. The record key is `name`.

    `name` is a definition of the alert catalogue (schemas/alerts), which holds its owner and its runbook. `labels`
    tell alerts of one name apart; `value` is set against `limit`. `since_ms` is when it began.
    """

    name: Word
    severity: AlertSeverity
    state: Literal["firing", "resolved"]
    summary: Annotated[str, Meta(max_length=1000)]
    value: float = 0.0
    limit: float = 0.0
    since_ms: TimeMs
    labels: dict[str, str] = {}
    causes: list[Cause] = []
    runbook: str = ""
    link: str = ""

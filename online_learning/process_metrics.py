"""What the learning process tells Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from online_learning.course import Course

# A rolling figure is sorted out of thousands of examples: not at every scrape.
ROLLING = ("average_precision", "roc_auc", "recall_at_1pct_fpr", "accuracy", "f1")


# What alerts look at the growth of.
FROM_ZERO = ("limited", "examples", "snapshots")


class ProcessMetrics:
    """Counts of each learner's course, its rolling metrics, and the lag of the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._events = Counter(
            "sluice_learner_events",
            "What became of examples, by learner: examples, snapshots, drifts, refused_..., fallbacks.",
            ("learner", "what"),
            registry=self.registry,
        )
        self._beat = Gauge(
            "sluice_learner_beat_seconds", "When the log was last read, since the epoch.", registry=self.registry
        )
        self._learned = Gauge(
            "sluice_learner_learned", "Examples learned since the beginning.", ("learner",), registry=self.registry
        )
        self._withheld = Gauge(
            "sluice_learner_withheld",
            "Contradicting examples that were never learned.",
            ("learner",),
            registry=self.registry,
        )
        self._quarantine = Gauge(
            "sluice_learner_quarantine",
            "1 while a burst of contradicting labels is held back.",
            ("learner",),
            registry=self.registry,
        )
        self._forgetting = Gauge(
            "sluice_learner_forgetting",
            "How much worse the loss on held-out examples of all times is than it was, relative.",
            ("learner",),
            registry=self.registry,
        )
        self._rolling = Gauge(
            "sluice_learner_rolling",
            "Prequential metrics of the newest examples.",
            ("learner", "metric"),
            registry=self.registry,
        )
        self._lag = Gauge("sluice_learner_lag", "Labelled examples that are not read yet.", registry=self.registry)
        self._disordered = Gauge(
            "sluice_learner_disordered",
            "Records that a replay may put into another order, for brokers' clocks differ.",
            registry=self.registry,
        )
        self._told: dict[str, Counts[str]] = {}

    def beat(self, now_s: float) -> None:
        """The loop turned, whether there was anything to learn or not."""
        self._beat.set(now_s)

    def show(self, courses: Iterable[Course], lag: int, disordered: int) -> None:
        """Set everything to what is now."""
        self._lag.set(lag)
        self._disordered.set(disordered)
        for course in courses:
            name = course.definition.name
            before = self._told.setdefault(name, Counts(course.counts))
            # Or the first ones would show no growth.
            for what in FROM_ZERO:
                self._events.labels(name, what)
            for what, count in course.counts.items():
                self._events.labels(name, what).inc(count - before[what])
                before[what] = count
            self._learned.labels(name).set(course.learned)
            self._withheld.labels(name).set(course.quarantine.withheld)
            self._quarantine.labels(name).set(course.quarantine.raised)
            self._forgetting.labels(name).set(course.forgetting)
            for metric, value in course.figures.rolling.items():
                if metric in ROLLING:
                    self._rolling.labels(name, metric).set(value)

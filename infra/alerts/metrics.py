"""The router's own metrics, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class RouterMetrics:
    """Notices by outcome, deliveries by channel and outcome, their seconds, what waits, and what was probed."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"sluice_alerts_{name}", text, labels, registry=self._registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"sluice_alerts_{name}", text, labels, registry=self._registry)

        self.notices = counter("notices", "Alerts heard for a person.", "priority", "outcome")
        self.deliveries = counter("deliveries", "Attempts to deliver a message.", "channel", "outcome")
        self.unlogged = counter("unlogged", "Rows of the delivery log that were given up.")
        self.seconds = Histogram(
            "sluice_alerts_delivery_seconds",
            "From the moment a notice was heard to its delivery.",
            ("priority",),
            registry=self._registry,
            buckets=SECONDS,
        )
        self.waiting = gauge("waiting", "Notices that wait: quiet hours, rates, failed deliveries.", "person")
        self.part_up = gauge("part_up", "1 when the part answered its last probe, else 0.", "part")
        self.part_answer = gauge("part_answer_seconds", "How long the last probe took.", "part")
        self.job_stopped = gauge("job_stopped_seconds", "When a job was stopped by hand, since the epoch.", "job_name")
        self.beat = gauge("beat_seconds", "When messages that are due were last looked for, since the epoch.")
        self.topic_age = gauge("topic_age_seconds", "Since the newest record that was read from a topic.", "topic")

    def exposed(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self._registry)

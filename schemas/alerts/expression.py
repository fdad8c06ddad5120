"""Pieces of PromQL over the metrics of jobs: sums by job of what a counter or a histogram did."""

from __future__ import annotations

from schemas.metrics import BOUND_LABEL, Metric

JOB = "flink_jobmanager_job"
TASK = "flink_taskmanager_job_task"
OPERATOR = f"{TASK}_operator"
MEMORY = "flink_taskmanager_Status_JVM_Memory_Heap"
PENDING = f"{OPERATOR}_pendingRecords"


def rate(metric: Metric, window: str, match: str = "", offset: str = "") -> str:
    """A counter's change a second, by job; `match` are label matchers."""
    return f"sum by (job_name) (rate({_selected(metric.exported, match)}[{window}]{_ago(offset)}))"


def increase(metric: Metric, window: str, match: str = "", offset: str = "") -> str:
    """A counter's change over the window, by job."""
    return f"sum by (job_name) (increase({_selected(metric.exported, match)}[{window}]{_ago(offset)}))"


def p99(metric: Metric, window: str, offset: str = "") -> str:
    """The 99th percentile of a histogram over the window, by job."""
    buckets = f"rate({metric.exported}[{window}]{_ago(offset)})"
    return f"histogram_quantile(0.99, sum by (job_name, {BOUND_LABEL}) ({buckets}))"


def of_job(name: str, **labels: str) -> str:
    """A series of a job, as promtool's inputs name it."""
    return of(name, job_name="score", **labels)


def of(name: str, **labels: str) -> str:
    """A series with these labels."""
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def _selected(name: str, match: str) -> str:
    return f"{name}{{{match}}}" if match else name


def _ago(offset: str) -> str:
    return f" offset {offset}" if offset else ""

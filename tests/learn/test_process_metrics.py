"""What the learning process shows to Prometheus."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from learn_builders import NAMES, labelled
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from online_learning.catalogue import definition
from online_learning.course import Course
from online_learning.loop import Loop
from online_learning.merge import Record
from online_learning.process import run
from online_learning.process_metrics import ProcessMetrics
from schemas import codec


def _shown(metrics: ProcessMetrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_counts_lag_and_rolling_metrics_are_there_and_counts_go_on_after_a_checkpoint() -> None:
    course = Course(definition("fraud-logistic"), NAMES)
    metrics = ProcessMetrics()
    examples = list(labelled(2_500, seed=2, delay_ms=0))
    for example in examples[:1_500]:
        course.take(example)
    # Counts before the process began are its predecessor's.
    metrics.show([course], lag=7, disordered=0)
    for example in examples[1_500:]:
        course.take(example)
    course.take(examples[-1])
    metrics.show([course], lag=0, disordered=1)
    shown = _shown(metrics)
    name = "fraud-logistic"
    assert shown["sluice_learner_events_total", name, "examples"] == 1_001
    assert shown["sluice_learner_events_total", name, "repeats"] == 1
    # Their alerts look at growth, which begins at 0.
    fresh = ProcessMetrics()
    fresh.show([Course(definition("fraud-tree"), NAMES)], lag=0, disordered=0)
    assert [_shown(fresh)["sluice_learner_events_total", "fraud-tree", what] for what in ("examples", "snapshots")] == [
        0,
        0,
    ]
    assert shown["sluice_learner_events_total", name, "limited"] == 0
    assert shown["sluice_learner_learned", name] == course.learned
    assert shown["sluice_learner_lag",] == 0
    assert shown["sluice_learner_disordered",] == 1
    assert shown["sluice_learner_quarantine", name] == 0
    rolling = shown["sluice_learner_rolling", name, "average_precision"]
    assert rolling == course.figures.rolling["average_precision"]
    assert rolling > 0.5


class _Log:
    """A log of these examples that is read at once, and ends."""

    ends, partitions, lag = True, (0,), 0
    merge = SimpleNamespace(disordered=0)

    def __init__(self, examples: list[Any]) -> None:
        self._batches = [[Record(e.event_time_ms, 0, n, b"", codec.encode(e)) for n, e in enumerate(examples)], None]

    def held(self) -> dict[int, Any]:
        return {}

    def start(self, _positions: Any) -> None: ...

    def caught_up(self, _to_ms: float) -> bool:
        return False

    def read(self) -> list[Record] | None:
        return self._batches.pop(0)


def test_what_came_before_the_first_checkpoint_is_counted_too(tmp_path: Path) -> None:
    loop = Loop([definition("fraud-logistic")], {definition("fraud-logistic").feature_set: NAMES}, tmp_path)
    metrics = ProcessMetrics()
    told: Any = SimpleNamespace(tell=lambda _events: None, flush=lambda: None)
    log: Any = _Log(list(labelled(50, seed=2, delay_ms=0)))
    run(loop, log, told, metrics, checkpoint_s=3_600, stopped=lambda: False)
    assert _shown(metrics)["sluice_learner_events_total", "fraud-logistic", "examples"] == 50


def test_a_process_beats_before_it_has_found_its_place_in_the_log(tmp_path: Path) -> None:
    class Slow(_Log):
        def start(self, _positions: Any) -> None:
            beats.append(_shown(metrics)["sluice_learner_beat_seconds",])

    beats: list[float] = []
    loop = Loop([definition("fraud-logistic")], {definition("fraud-logistic").feature_set: NAMES}, tmp_path)
    metrics, before_s = ProcessMetrics(), time.time()
    told: Any = SimpleNamespace(tell=lambda _events: None, flush=lambda: None)
    log: Any = Slow([])
    run(loop, log, told, metrics, checkpoint_s=3_600, stopped=lambda: False)
    assert before_s <= beats[0] <= time.time()

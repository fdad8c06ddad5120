"""What a job's metrics hand to Flink."""

from __future__ import annotations

from jobs.runtime.metrics import JobMetrics
from schemas import metrics


class Group:
    """Flink's metric group, without the gauge that calls back: whoever asks for one fails here."""

    def __init__(self) -> None:
        self.updates: dict[str, list[int]] = {}
        self.counts: dict[str, int] = {}

    def add_group(self, *_: str) -> Group:
        return self

    def distribution(self, name: str) -> Held:
        assert name not in self.updates, "registered twice"
        return Held(self.updates.setdefault(name, []))

    def counter(self, name: str) -> Counter:
        return Counter(self.counts, name)


class Held:
    def __init__(self, values: list[int]) -> None:
        self.update = values.append


class Counter:
    def __init__(self, counts: dict[str, int], name: str) -> None:
        self._counts, self._name = counts, name

    def inc(self, by: int) -> None:
        self._counts[self._name] = self._counts.get(self._name, 0) + by


def test_a_gauge_is_a_number_handed_over_with_the_counters():
    group = Group()
    job = JobMetrics(group)
    for version in (1, 2, 2):
        job.gauge(metrics.MODEL_VERSION, version)
    assert group.updates == {}
    job.flush()
    job.gauge(metrics.MODEL_VERSION, 3)
    job.count(metrics.FEATURES_NULL, by=7)
    job.flush()
    job.flush()
    assert group.updates == {"model_version": [2, 3]}
    assert group.counts == {"feature_nulls": 7}


class Labelled(Group):
    """A group that keeps its sub-groups, by label and value."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[tuple[str, ...], Labelled] = {}

    def add_group(self, *words: str) -> Group:
        return self.groups.setdefault(words, Labelled())


def test_a_gauge_with_a_label_is_one_for_each_value_up_to_the_most_there_may_be():
    group = Labelled()
    job = JobMetrics(group)
    for number in range(metrics.MAX_LABEL_VALUES + 1):
        job.gauge(metrics.AGGREGATE, number, f"figure{number}")
    job.flush()
    job.gauge(metrics.AGGREGATE, 7, "figure3")
    job.flush()
    groups = group.groups[metrics.GROUP,].groups
    assert len(groups) == metrics.MAX_LABEL_VALUES
    assert groups["figure", "figure3"].updates == {"aggregate_milli": [3, 7]}


def test_a_gauge_with_two_labels_lies_in_the_group_of_both_and_each_second_value_has_the_most_there_may_be():
    group = Labelled()
    job = JobMetrics(group)
    for segment in ("gold", "iron"):
        for number in range(metrics.MAX_LABEL_VALUES + 1):
            job.gauge(metrics.AGGREGATE_BY_SEGMENT, number, f"figure{number}", segment)
    job.gauge(metrics.AGGREGATE, 9, "figure3")
    job.flush()
    of_figures = group.groups[metrics.GROUP,].groups
    found = {(*figure, *segment): g.updates for figure, f in of_figures.items() for segment, g in f.groups.items()}
    assert len(found) == 2 * metrics.MAX_LABEL_VALUES
    assert found["figure", "figure3", "segment", "iron"] == {"aggregate_milli": [3]}
    # The figure of all segments has no second label: nothing that reads it sees a part beside the whole.
    assert of_figures["figure", "figure3"].updates == {"aggregate_milli": [9]}
    assert metrics.AGGREGATE_BY_SEGMENT.exported != metrics.AGGREGATE.exported

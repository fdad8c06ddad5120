"""The job: labels and what was decided in, labelled examples out; one flow for decisions and one for lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from jobs.runtime.controlled import Controlled
from jobs.runtime.patience import patiently
from jobs.runtime.stage import Door, Flow, Job, Stage
from schemas import metrics
from schemas.metrics import Metric
from schemas.topics import DEAD_LETTERS, DECISIONS, INTERACTIONS, LABELLED_EXAMPLES, LABELS
from serving.entity_cache import Writes
from serving.inflight import Message, Output, Record
from serving.labels.claim import Answers
from serving.labels.decisions import Decisions
from serving.labels.join import JOB, LabelJoin, Waiting
from serving.labels.lists import Lists
from serving.labels.maturity import MaturityControl
from serving.stores import cassandra_history
from serving.stores.history import HistoryStore

# Longer than the longest maturity (90 days): an answer that is followed must not be forgotten before.
STATE_DAYS = 100
# A label has waited for days.
NICENESS = 5


class _Join(Stage):
    """Labels and the logged answers that they are about."""

    def open(self, door: Door) -> None:
        self._door = door
        self._store = cassandra_history.connect(door.settings.cassandra)
        self._join = LabelJoin(self._answers(self._store), self._store, self._count)
        self._control = MaturityControl()
        self._controlled = Controlled(door, JOB, self._control.apply)
        self._waiting = Waiting(door.read)
        self._counts: list[tuple[Metric, str, int]] = []

    @abstractmethod
    def _answers(self, store: HistoryStore) -> Answers: ...

    def step(self, batch: Sequence[Record]) -> Sequence[Message]:  # type: ignore[override]  # always the first stage
        refused = self._controlled.take()
        now_ms = self._door.now_ms()
        return [*refused, *self._try(lambda: self._join.step(batch, self._waiting, self._control, now_ms))]

    def wake_ms(self) -> int | None:
        return Waiting(self._door.read).retries.next_ms()

    def wake(self) -> Sequence[Message]:
        now_ms = self._door.now_ms()
        return self._try(lambda: self._join.wake(self._waiting, now_ms))

    def take_writes(self) -> Writes:
        return self._waiting.take_writes()

    def close(self) -> None:
        self._controlled.close()
        self._store.close()

    def _count(self, metric: Metric, value: str = "", by: int = 1) -> None:
        self._counts.append((metric, value, by))

    def _try(self, work: Callable[[], list[Output]]) -> list[Output]:
        """Do the work on the bucket's state as it is, from the start again when the store was away."""

        def once() -> list[Output]:
            self._waiting = Waiting(self._door.read)
            self._counts = []
            return work()

        outputs = patiently(once, self._door.metrics)
        for counted in self._counts:
            self._door.metrics.count(*counted)
        self._door.metrics.gauge(metrics.LABELS_WAITING, len(self._waiting.retries))
        self._door.metrics.gauge(metrics.MATURING, len(self._waiting.followed))
        return outputs


class _Decided(_Join):
    """Labels of payments and the decisions in Cassandra."""

    uid = "decisions"

    def _answers(self, store: HistoryStore) -> Answers:
        return Decisions(store)


class _Listed(_Join):
    """Clicks and conversions and the lists in Cassandra."""

    uid = "lists"

    def _answers(self, store: HistoryStore) -> Answers:
        return Lists(store)


JOIN_LABELS = Job(
    JOB,
    (
        Flow("decided", (LABELS, DECISIONS), (_Decided(),), (LABELLED_EXAMPLES, DEAD_LETTERS), batch_ms=100),
        Flow("listed", (INTERACTIONS,), (_Listed(),), (LABELLED_EXAMPLES, DEAD_LETTERS), batch_ms=100),
    ),
    state_days=STATE_DAYS,
    niceness=NICENESS,
)

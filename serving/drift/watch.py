"""The drift step: decisions and lists in, drift reports out.

A window closes when an answer is ten minutes past its end, by event time: an answer that comes later is counted and
left out, and where answers stop, the last window waits for the next answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from schemas import metrics
from schemas.errors import EventError, StateVersionError
from schemas.models import Reference
from schemas.settings import Drift
from schemas.topics import DECISIONS
from schemas.units import MINUTE_MS
from schemas.watching import DriftReport
from serving.dead_letter import dead_letter
from serving.drift.answers import FEATURE_SETS, NO_MODEL, PLACES, Answers, Decided, Listed, read_decision, read_list
from serving.drift.model_watch import ALL, ModelWatch, runs
from serving.inflight import Output, Record
from serving.sealed import Read, Writes
from serving.stages import Count

JOB = "watch_drift"
VERSION = 1
LATENESS_MS = 10 * MINUTE_MS
# Models at once; an answer of another is counted under what it lacks, not watched.
MAX_MODELS = 8
INDEX = "watched"
# Knuth's multiplicative hashing: 2 ** 32 over the golden ratio.
_SPREAD = 2_654_435_761

# Is told the scores of one model and segment, and the times of their decisions.
Scored = Callable[[str, str, Sequence[int], Sequence[float]], None]


def _nobody(_model: str, _segment: str, _times_ms: Sequence[int], _scores: Sequence[float]) -> None:
    """Nobody wants to know."""


class Index(msgspec.Struct, array_like=True):
    """Which models are watched, each with its feature set and the newest event time of its answers."""

    version: int = VERSION
    models: dict[str, str] = {}
    newest_ms: dict[str, int] = {}


_index = msgspec.msgpack.Decoder(Index)
_encoder = msgspec.msgpack.Encoder()


class Watch:
    """All watched models. `references` gives the reference that a model label brings from training, None = none.

    `feature_sets` are the names of the values of vectors, by their set.
    """

    def __init__(
        self,
        read: Read,
        references: Callable[[str], Reference | None],
        settings: Drift,
        count: Count,
        scored: Scored = _nobody,
        feature_sets: Mapping[str, tuple[str, ...]] = FEATURE_SETS,
    ) -> None:
        self._feature_sets = feature_sets
        self._references = references
        self._scored = scored
        # Reports of the newest batch.
        self.reports: list[DriftReport] = []
        self._settings = settings
        self._count = count
        self._segments = frozenset(settings.segments)
        self._watches: dict[str, ModelWatch] = {}
        self._deleted: Writes = {}
        raw = read(INDEX)
        self._index = Index() if raw is None else _index.decode(raw)
        if self._index.version != VERSION:
            raise StateVersionError(f"watched models, version {self._index.version}: this release reads {VERSION}")
        self._changed = False
        for model, feature_set in list(self._index.models.items()):
            if feature_set in self._feature_sets:
                self._open(model, feature_set).restore(read)
            else:
                self._drop(model, read)

    def step(self, records: Sequence[Record]) -> list[Output]:
        """Count a batch of both topics, into `reports` the windows that it closes; a dead letter for what is no answer.

        Of every thousand records of a partition so many as the setting says are counted, chosen by their offset.
        """
        outputs: list[Output] = []
        self.reports = []
        by_model: dict[tuple[str, str], list[Decided | Listed]] = {}
        for record in records:
            if not _sampled(record.offset, self._settings.sample_permille):
                continue
            try:
                answer = read_decision(record) if record.topic == DECISIONS.name else read_list(record)
            except EventError as error:
                self._count(metrics.REJECTS, error.reason)
                outputs.append(dead_letter(record, error, JOB))
                continue
            if answer.repeat if isinstance(answer, Decided) else answer.origin:
                continue  # answered before: a repeat, or what the API showed of a list
            model = (
                answer.model if isinstance(answer, Decided) else answer.ranker
            ) or f"{answer.feature_set}/{NO_MODEL}"
            by_model.setdefault((model, answer.feature_set), []).append(answer)
        for (model, feature_set), answers in by_model.items():
            self._take(model, feature_set, answers)
        for model in sorted({model for model, _ in by_model} & self._watches.keys()):
            self.reports += self._watches[model].close(self._index.newest_ms[model] - LATENESS_MS)
        return outputs

    def take_writes(self) -> Writes:
        """State that changed since the last call."""
        writes, self._deleted = self._deleted, {}
        for watch in self._watches.values():
            writes |= watch.take_writes()
        if self._changed:
            writes[INDEX] = _encoder.encode(self._index)
            self._changed = False
        return writes

    def memory_bytes(self) -> int:
        """The bytes of all sketches as they are stored."""
        return sum(watch.memory_bytes() for watch in self._watches.values())

    def windows(self) -> int:
        """How many sketches are kept, of all models and segments."""
        return sum(watch.windows() for watch in self._watches.values())

    def _open(self, model: str, feature_set: str) -> ModelWatch:
        given = self._settings
        watch = ModelWatch(
            model,
            self._feature_sets[feature_set],
            self._references(model),
            window_min=given.window_min,
            min_samples=given.min_samples,
        )
        self._watches[model] = watch
        return watch

    def _take(self, model: str, feature_set: str, answers: list[Decided | Listed]) -> None:
        watch = self._watches.get(model)
        if watch is None:
            if feature_set not in self._feature_sets or not self._make_room():
                self._count(metrics.UNWATCHED, "", len(answers))
                return
            watch = self._open(model, feature_set)
            self._index.models[model] = feature_set
        names = self._feature_sets[self._index.models[model]]
        places: list[tuple[str, int]] = []
        chosen: list[Decided | Listed] = []
        newest_ms = self._index.newest_ms.get(model, 0)
        for answer in answers:
            newest_ms = max(newest_ms, answer.event_time_ms)
            start_ms = watch.window_start(answer.event_time_ms)
            # As of the answers so far, not of the batches: how the log is cut must not matter.
            if watch.window_start(newest_ms - LATENESS_MS) > start_ms:
                self._count(metrics.LATE)
                continue
            places.append((ALL, start_ms))
            chosen.append(answer)
            if answer.segment in self._segments:
                places.append((answer.segment, start_ms))
                chosen.append(answer)
        for (segment, start_ms), rows in runs(places):
            picked = [chosen[row] for row in rows]
            scored = [a for a in picked if isinstance(a, Decided) and a.score is not None]
            self._scored(model, segment, [a.event_time_ms for a in scored], [a.score or 0.0 for a in scored])
            group = _gather(names, picked)
            watch.take(segment, start_ms, group)
        self._index.newest_ms[model] = newest_ms
        self._changed = True

    def _drop(self, model: str, read: Read) -> None:
        """Forget what a release with another feature set counted: its columns are not those of the next answers."""
        watch = ModelWatch(model, (), None, window_min=self._settings.window_min, min_samples=0)
        watch.restore(read)
        self._deleted |= watch.deleted()
        del self._index.models[model], self._index.newest_ms[model]
        self._changed = True

    def _make_room(self) -> bool:
        """Room for one more model: the one whose last answer is oldest goes, if it is a day behind."""
        if len(self._watches) < MAX_MODELS:
            return True
        oldest = min(self._watches, key=lambda model: self._index.newest_ms.get(model, 0))
        if not self._watches[oldest].stale(max(self._index.newest_ms.values())):
            return False
        self._deleted |= self._watches.pop(oldest).deleted()
        del self._index.models[oldest], self._index.newest_ms[oldest]
        return True


def _gather(names: tuple[str, ...], answers: Sequence[Decided | Listed]) -> Answers:
    found = Answers(names, [], [], [], [])
    for answer in answers:
        if isinstance(answer, Decided):
            _add(found, answer.features, answer.score, answer.decision, answer.merchant_id)
        else:
            for place in answer.items[:PLACES]:
                _add(found, place.features, place.score, place.source, place.item_id)
    return found


def _add(found: Answers, vector: list[float | None], score: float | None, kind: str, heavy: str) -> None:
    if len(vector) != len(found.names):
        found.unread += 1
        return
    found.vectors.append(vector)
    found.scores.append(score)
    found.kinds.append(kind)
    found.heavy.append(heavy)


def _sampled(offset: int, permille: int) -> bool:
    """Multiplied by a large odd number, offsets spread evenly: a period of the producer is not met."""
    return permille >= 1000 or (offset * _SPREAD & 0xFFFFFFFF) * 1000 >> 32 < permille

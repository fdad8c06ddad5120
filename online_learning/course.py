"""One learner's course through the log: a pure step from an example to what it tells of, with all of its state."""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Sequence
from math import isfinite
from typing import Any

from online_learning import outgoing
from online_learning.background import Background
from online_learning.challenge import Challenge
from online_learning.clipping import Clipping
from online_learning.contradictions import Change, Quarantine, Waiting, contradicts
from online_learning.definition import Definition
from online_learning.detectors import Watch
from online_learning.holdout import Holdout, Loss, Verdict, loss, squared_error
from online_learning.learner import Learner, Row
from online_learning.limits import Limits, Meter
from online_learning.past import Past, copy
from online_learning.prequential import Figures, Prequential
from online_learning.reactions import react
from online_learning.reservoir import Kept, Reservoir
from online_learning.validation import Validation
from schemas.errors import InvalidError
from schemas.events import Event, LabelledExample, Snapshot
from schemas.settings import Promotion
from schemas.units import MINUTE_MS

# Examples may come again after a restart of the job that joins them: as many ids are remembered.
MOST_SEEN = 20_000
# Before so many examples scores move because the learner learns.
SETTLED = 5_000
# The holdout slice may refuse so many snapshots in a row.
MOST_REFUSED = 2
# Where labels are few a snapshot leaves after so much event time; before so many examples a model says little.
BETWEEN_MS = 10 * MINUTE_MS
YOUNG = 200


class Course:
    """A learner, what guards it, and what it was measured to do. The same examples in the same order give the same.

    `names` are those of the feature set, in vector order. Pickle keeps everything but the definition.
    """

    def __init__(
        self,
        definition: Definition,
        names: Sequence[str],
        limits: Limits | None = None,
        promotion: Promotion = Promotion(),  # noqa: B008  frozen
    ) -> None:
        self.definition = definition
        self.names = tuple(names)
        self.learner = definition.learner(names)
        self.counts: Counter[str] = Counter()
        self.learned = 0
        self.now_ms = 0
        self._validation = Validation(definition.feature_set, names, self.learner.features)
        self._clipping = Clipping(len(self.learner.features))
        self._meter = Meter(limits or Limits())
        self.quarantine = Quarantine(self.learner.features)
        self._holdout = Holdout(definition.seed)
        self._reservoir = Reservoir(definition.seed)
        self._rng = random.Random(definition.seed)
        # The bound of a reward is no probability, but it orders items.
        self._measured = Prequential("ranking" if definition.kind == "bandit" else "classification")
        self.challenge = Challenge(definition.name, promotion, definition.metric)
        self._past = Past()
        self._errors = Watch(definition.detector, definition.seed)
        self._scores = Watch("kswin", definition.seed)
        self._drifted_ms: int | None = None
        self._background: Background | None = None
        self.last_good = copy(self.learner)
        self.last_good_examples = 0
        # When it last went back to its last good model.
        self.fell_back_ms: int | None = None
        # Whether it has learned by other limits than those of now: a replay would give another model.
        self.relimited = False
        # When it was last asked for a snapshot, and of how many examples the newest one was that left before its turn.
        self._asked_ms: int | None = None
        self._between_examples = 0
        self._refused = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._learned_ms = 0
        self.forgetting = 0.0
        # While it catches up from the log's beginning: models of its youth must not come into force.
        self.silent = True

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "definition"}

    def limit_by(self, limits: Limits) -> None:
        """Follow the settings of now."""
        if self._meter.limit_by(limits) and self.counts["examples"]:
            self.relimited = True

    @property
    def figures(self) -> Figures:
        """Prequential metrics: each answer by the learner as it was when the answer was given."""
        return self._measured.figures()

    def snapshot(self) -> Snapshot:
        """The last good model, and how the learner stands now. Raises InvalidError when no reader could use it."""
        return self._told_of(self.last_good, self.last_good_examples)

    def _told_of(self, model: Learner, learned: int) -> Snapshot:
        standing = outgoing.Standing(
            model=model,
            learned=learned,
            figures=self.figures,
            duel=self.challenge.metrics(),
            opponent=self.challenge.opponent.name,
            forgetting=self.forgetting,
            quarantined=self.quarantine.raised,
            fell_back_ms=self.fell_back_ms,
        )
        return outgoing.snapshot(self._place, standing)

    @property
    def _place(self) -> outgoing.Place:
        return outgoing.Place(self.definition, self.now_ms, self.counts["examples"])

    def take(self, example: LabelledExample) -> list[Event]:
        """Measure, then learn; snapshots, drift reports and alerts that follow."""
        if example.task != self.definition.task:
            return []
        self.counts["examples"] += 1
        if (why := self._unfit(example)) is not None:
            self.counts[why] += 1
            return []
        self.now_ms = max(self.now_ms, example.event_time_ms)
        row = self._validation.row(example)
        prediction = self.learner.predict_row(row)
        if not isfinite(prediction):
            return [*self._fall_back(), outgoing.fell_back(self._place, "a prediction was not finite")]
        self._measure(example, row, prediction)
        if Holdout.holds(example.example_id):
            self.counts["held_out"] += 1
            self._holdout.take(row, example.label, example.weight, example.example_id)
            return []
        if not self._meter.allows(example.source, example.user_id, self.now_ms):
            self.counts["limited"] += 1
            return []
        told = self._watch(example.label, prediction)
        return [*told, *self._learn(example, row, prediction)]

    def _unfit(self, example: LabelledExample) -> str | None:
        if example.event_id in self._seen:
            return "repeats"
        self._seen[example.event_id] = None
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        refusal = self._validation.refusal(example)
        return None if refusal is None else f"refused_{refusal}"

    def _measure(self, example: LabelledExample, row: Row, prediction: float) -> None:
        # A later label replaces the earlier one in all figures. What was learned from that can not be unlearned: the
        # answer that is measured is the one of before.
        then = self._measured.take_back(example.example_id)
        if then is not None:
            self.counts["replacements"] += 1
        elif self._learned_ms <= example.decided_ms:
            then = prediction
        elif (before := self._past.at(example.decided_ms)) is not None:
            # What the learner knows by now it may not have known when the answer was needed.
            then = before.predict_row(row)
        self._measured.take(example.label, then, example.segment, example.weight, example_id=example.example_id)
        if self.definition.kind == "classifier":
            self.challenge.take(example, then)

    def _watch(self, label: float, prediction: float) -> list[Event]:
        told: list[Event] = []
        if self.quarantine.raised and contradicts(label, prediction):
            # What is held back may be poison: the learner must not react to it.
            return told
        # A detector sees any change; errors that fell need no reaction.
        if self._errors.take(min(1.0, abs(label - prediction))) and self._errors.now > self._errors.before:
            self.counts["drifts"] += 1
            told.append(outgoing.drift(self._place, self._errors, "error"))
            self._drifted_ms = self._drifted_ms or self.now_ms
        if self._drifted_ms is not None and self.now_ms >= self._drifted_ms + MINUTE_MS and not self.quarantine.raised:
            told += self._react()
        if self._scores.take(min(1.0, max(0.0, prediction))) and self.learned > SETTLED:
            told.append(outgoing.drift(self._place, self._scores, "score"))
        return told

    def _react(self) -> list[Event]:
        """A minute after the drift: by then a burst of wrong labels is in quarantine, and is no reason to react."""
        self._drifted_ms = None
        if refused := self._refusal():
            # It was better before on the same examples: the learner is at fault, not the world.
            return refused
        self._holdout.turned()
        action = react(self, self.definition.reactions)
        self.counts["reactions"] += 1
        return [outgoing.drifted(self._place, self._errors, action)] if "alert" in self.definition.reactions else []

    def _learn(self, example: LabelledExample, row: Row, prediction: float) -> list[Event]:
        if self.definition.kind != "classifier":
            one = Waiting(self.now_ms, row, example.label, example.weight)
            return self._learn_all([one])
        change = self.quarantine.take(self.now_ms, row, example.label, example.weight, prediction)
        told = self._learn_all(change.learn)
        if change.event is not None:
            told.append(self._quarantined(change))
        return told

    def _quarantined(self, change: Change) -> Event:
        self.counts[f"quarantines_{change.event}"] += 1
        if change.event == "discarded":
            self._drifted_ms = None
        if change.event == "released":
            self._holdout.turned()
        return outgoing.quarantine(self._place, change)

    def _learn_all(self, ready: Sequence[Waiting]) -> list[Event]:
        told: list[Event] = []
        for one in ready:
            row = self._clipping.clipped(one.row)
            self._background_takes(one, row)
            self._past.keep(self.now_ms, self.learner)
            self.learner.learn_row(row, one.label, one.weight)
            self.learned += 1
            self._learned_ms = self.now_ms
            self._reservoir.offer(Kept(row, one.label, one.weight))
            if self.definition.replay and self._rng.random() < self.definition.replay:
                self._replay()
            if self.learned % self.definition.snapshot_every == 0:
                told += self._pass()
            elif self._asked_ms is None or self.now_ms >= self._asked_ms + BETWEEN_MS:
                told += self._between()
        return told

    def _replay(self) -> None:
        if (old := self._reservoir.draw()) is not None:
            self.learner.learn_row(old.row, old.label, old.weight)
            self.counts["replayed"] += 1

    def _background_takes(self, one: Waiting, clipped: Row) -> None:
        if self._background is None:
            return
        present = self.learner.predict_row(one.row)
        verdict = self._background.take(one.row, clipped, one.label, one.weight, present)
        if verdict == "take_over":
            self.learner = self._background.candidate
            self.counts["taken_over"] += 1
        if verdict != "wait":
            self._background = None

    def start_background(self) -> None:
        """Train a fresh learner beside the present one, unless one is in training."""
        if self._background is None:
            self._background = Background(self.definition.learner(self.names))

    def start_fresh(self) -> None:
        """Replace the learner by a fresh one."""
        self.learner = self.definition.learner(self.names)

    def _pass(self) -> list[Event]:
        """A snapshot if the holdout slice lets the model pass; else the last good one is back in force."""
        self._asked_ms = self.now_ms
        if not self.learner.ready:
            return []
        if refused := self._refusal():
            return refused
        if self._loss is not None:
            self.forgetting = self._holdout.forgetting(self.learner.expected_row, self._loss)
        before = self.last_good, self.last_good_examples
        self.last_good, self.last_good_examples = copy(self.learner), self.learned
        try:
            told: list[Event] = [self.snapshot()]
        except InvalidError as error:
            self.last_good, self.last_good_examples = before
            return [*self._fall_back(), outgoing.fell_back(self._place, str(error))]
        self._refused = 0
        self.counts["snapshots"] += 1
        return told

    def _between(self) -> list[Event]:
        """A snapshot before its turn, for labels that are few, unless the holdout slice speaks against the model.

        It is not the last good one: held against one of a few examples ago no model would ever be much worse.
        """
        began, self._asked_ms = self._asked_ms is None, self.now_ms
        if began or self.learned < YOUNG or not self.learner.ready:
            return []
        if not self.last_good_examples:
            return self._pass()
        if not self._verdict().good:
            return []
        try:
            told: list[Event] = [self._told_of(self.learner, self.learned)]
        except InvalidError:
            # Its turn will say so.
            return []
        self._between_examples = self.learned
        self.counts["snapshots"] += 1
        return told

    def _refusal(self) -> list[Event]:
        """Back to the last good model, when the holdout slice says that it is better."""
        if (verdict := self._verdict()).good:
            return []
        told = self._fall_back()
        self._refused += 1
        if self._refused == MOST_REFUSED:
            # Nothing gets any better: it is the slice that is of another time.
            self._holdout.turned()
        return [*told, outgoing.got_worse(self._place, verdict)]

    def _verdict(self) -> Verdict:
        if self._loss is None:
            return Verdict(True, 0.0, 0.0, 0)
        return self._holdout.verdict(self.learner.expected_row, self.last_good.expected_row, self._loss)

    @property
    def _loss(self) -> Loss | None:
        """By what the holdout slice judges; an anomaly score has no loss."""
        return {"classifier": loss, "bandit": squared_error, "anomaly": None}[self.definition.kind]

    def _fall_back(self) -> list[Event]:
        """The last good model is back, and told again where a later one is in force."""
        self.learner = copy(self.last_good)
        self.fell_back_ms = self.now_ms
        self._background = None
        self.counts["fallbacks"] += 1
        later, self._between_examples = self._between_examples > self.last_good_examples, 0
        return [self.snapshot()] if later else []

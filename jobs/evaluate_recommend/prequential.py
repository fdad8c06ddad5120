"""In order of time: each next item is looked for in the list that its user had, before it is learned.

The lists are those of the stream's step: made after the user's interaction before, on demand for a user's first. An
item is known from its entry in the catalogue on. The item model and the ranker are trained anew at stated shares of the
log, from what came before alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import merge

import numpy as np

from jobs.evaluate_recommend.baselines import METHODS, Baselines
from jobs.evaluate_recommend.data_set import DataSet
from jobs.evaluate_recommend.metrics import gain
from jobs.train_recommend import boosting, item_model
from jobs.train_recommend.held_out import Fitted
from jobs.train_recommend.parameters import Parameters
from schemas.events import Interaction, Item
from serving.recommend.artifact import Artifact
from serving.recommend.beyond import Beyond, Meter
from serving.recommend.control import RecommendControl
from serving.recommend.funnel import Listed
from serving.recommend.interest import interest
from serving.recommend.recommender import Arrived, Recommender, Waiting

K = 20
FUNNEL = "funnel"
# Shares of the log at which all that is trained is trained anew.
TRAININGS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
# The newest lists whose outcome is known teach the ranker.
MOST_LISTS = 4000
# One list in so many is measured beyond accuracy.
SAMPLED = 25

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """Hit rate and nDCG at 20 by method, over `events` next items; and what else is to say of the funnel's lists."""

    events: int
    users: int
    rebuilds: int
    hit_rate: dict[str, float]
    ndcg: dict[str, float]
    beyond: Beyond


@dataclass(frozen=True)
class Pending:
    """What each method lists for a user until the next interaction, by item number; and the funnel's shortlist."""

    lists: dict[str, list[int]]
    shortlist: np.ndarray[tuple[int], np.dtype[np.int32]]
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]


class Run:
    """One pass over a history, with the artifact that is given, or with those that it trains on the way."""

    def __init__(
        self, parameters: Parameters, artifact: Artifact | None = None, *, threads: int = 1, tell: Tell = print
    ) -> None:
        self._parameters = parameters
        self._threads = threads
        self._tell = tell
        self._trainings = TRAININGS if artifact is None else ()
        self._control = RecommendControl(lambda _: _never(), parameters.policy)
        self._control.artifact = artifact
        self._recommender = Recommender()
        self._known: list[Item] = []
        self._baselines = Baselines(parameters.seed)
        self._made: Pending | None = None
        self._pending: dict[str, Pending] = {}
        self._outcomes: list[tuple[Pending, int]] = []
        self._hits = dict.fromkeys((FUNNEL, *METHODS), 0)
        self._gains = dict.fromkeys((FUNNEL, *METHODS), 0.0)
        self._meter = Meter(K)

    def over(self, items: Iterable[Item], interactions: Sequence[Interaction], learned: int = 0) -> Result:
        """Every interaction: ask, compare, learn; the first `learned` are only learned. Both in order of time."""
        due = {int(len(interactions) * share) for share in self._trainings}
        rebuilds = number = 0
        events: Iterable[Item | Interaction] = merge(items, interactions, key=_time)
        for event in events:
            if isinstance(event, Item):
                self._known.append(event)
                self._recommender.learn([event])
                continue
            if number < learned:
                self._recommender.learn([event], self._parameters.policy)
                number += 1
                continue
            if number in due and number:
                self._train(interactions[:number])
                rebuilds += 1
            if number % 1000 == 0:
                self._tell(f"{number:,} of {len(interactions):,}: {self._so_far(number - learned)}")
            # What a list showed, or what speaks for nothing, is no next item that a list should have named.
            if interest(event, self._parameters.policy) > 0:
                self._compare(event, sampled=number % SAMPLED == 0)
            # A repeat, or an impression that is not answered, makes none.
            self._made = None
            self._recommender.step([Arrived(event)], self._control, self._watch)
            if self._made is not None:
                self._pending[event.user_id] = self._made
            number += 1
        asked = [event for event in interactions[learned:] if interest(event, self._parameters.policy) > 0]
        count = max(len(asked), 1)
        return Result(
            len(asked),
            len({event.user_id for event in asked}),
            rebuilds,
            {name: hits / count for name, hits in self._hits.items()},
            {name: gains / count for name, gains in self._gains.items()},
            self._meter.figures(),
        )

    def _compare(self, event: Interaction, *, sampled: bool) -> None:
        pending = self._pending.get(event.user_id)
        if pending is None:
            self._recommender.recommend(
                event.user_id,
                event.event_time_ms,
                self._control,
                segment=event.context.get("segment", ""),
                watch=self._watch,
            )
            pending = self._made
        items = self._recommender.world.items
        item = items.numbers.get(event.item_id)
        if pending is None or item is None:
            return
        for name, listed in pending.lists.items():
            if item in listed:
                self._hits[name] += 1
                self._gains[name] += gain(listed.index(item))
        if item in pending.shortlist:
            self._outcomes.append((pending, item))
            del self._outcomes[:-MOST_LISTS]
        if sampled:
            listed = pending.lists[FUNNEL]
            self._meter.show(items, np.array(listed, np.int32), event.event_time_ms)
            self._meter.take(items, item, hit=item in listed)

    def _watch(self, waiting: Waiting, listed: Listed) -> None:
        numbers = waiting.ranked.items
        lists = {FUNNEL: numbers[listed.rows].tolist()} | self._baselines.lists(waiting.ask, K)
        self._made = Pending(lists, numbers, waiting.ranked.features)

    def _train(self, past: Sequence[Interaction]) -> None:
        self._tell(f"training on {len(past):,} interactions")
        built = item_model.build(self._known, past, self._parameters)
        if len({item for _, item in self._outcomes}) < 2 or self._control.artifact is None:
            # The lists so far were made without an item model: a ranker would learn not to use it.
            self._control.artifact = item_model.unranked(built, self._parameters)
            self._outcomes.clear()
            return
        examples = boosting.Lists(
            np.concatenate([pending.vectors for pending, _ in self._outcomes]),
            np.concatenate([pending.shortlist == item for pending, item in self._outcomes]),
            np.repeat(np.arange(len(self._outcomes)), [len(pending.shortlist) for pending, _ in self._outcomes]),
        )
        ranker = boosting.train(examples, self._parameters, threads=self._threads)
        self._control.artifact = Fitted(built, ranker, len(self._outcomes)).artifact(self._parameters)

    def _so_far(self, number: int) -> str:
        return ", ".join(f"{name} {hits / max(number, 1):.3f}" for name, hits in self._hits.items())


def run(data: DataSet, parameters: Parameters, *, limit: int | None, threads: int, tell: Tell) -> Result:
    """The protocol over the first `limit` interactions, None for all."""
    return Run(parameters, threads=threads, tell=tell).over(data.items, data.interactions[:limit])


def _time(event: Item | Interaction) -> int:
    return event.event_time_ms


def _never() -> Artifact:
    raise AssertionError("this run puts artifacts in force itself")

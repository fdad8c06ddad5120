"""A ranker learns from lists whose outcome is known: a part of what users did is held out, and says what was wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from jobs.train_recommend import boosting, item_model
from jobs.train_recommend.item_model import Built
from jobs.train_recommend.parameters import Parameters
from schemas.control import RecommendPolicy
from schemas.events import Interaction, Item
from schemas.recommend_models import RecommendSignature
from serving.recommend.artifact import Artifact
from serving.recommend.control import RecommendControl
from serving.recommend.funnel import Listed
from serving.recommend.interest import interest
from serving.recommend.recommender import Recommender, Waiting, Watch

Split = Callable[[Sequence[Interaction], float, int], tuple[list[Interaction], list[Interaction]]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """An item model of the whole history, and a ranker that learned from held-out parts of it."""

    built: Built
    ranker: boosting.Trained
    lists: int

    def signature(
        self, parameters: Parameters, *, version: str = "0", data: str = "", code_version: str = ""
    ) -> RecommendSignature:
        """The signature of both; hashes are of the bytes as they are written."""
        return item_model.signature(
            self.built,
            parameters,
            version=version,
            base=self.ranker.base,
            onnx_sha256=self.ranker.sha256,
            items_sha256=sha256(self.built.model.to_bytes()).hexdigest(),
            lists=self.lists,
            data=data,
            code_version=code_version,
        )

    def artifact(self, parameters: Parameters) -> Artifact:
        """Both, ready to be put in force."""
        return Artifact(self.signature(parameters), self.ranker.onnx, self.built.model)


def fit(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    parameters: Parameters,
    split: Split,
    *,
    threads: int,
    tell: Tell,
) -> Fitted:
    """Learn item model and ranker from a history. The same history gives the same.

    Raises InputError when the history is too short to learn from.
    """
    parts, lists = [], 0
    for number in range(parameters.splits):
        tell(f"examples for the ranker: split {number + 1} of {parameters.splits}")
        seen, held = split(interactions, 1.0 - parameters.holdout, parameters.seed + 1000 + number)
        wanted = items_by_user(held, parameters.policy)
        part = Examples(wanted, lists)
        artifact = item_model.unranked(item_model.build(items, seen, parameters), parameters)
        lists_after(items, seen, artifact, parameters.policy, part.watch)
        lists = part.next_list
        parts.append(part.examples())
    examples = boosting.Lists(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.taken for part in parts]),
        np.concatenate([part.lists for part in parts]),
    )
    tell(f"ranker: {parameters.trees.count} trees on {lists:,} lists")
    ranker = boosting.train(examples, parameters, threads=threads)
    tell("item model of the whole history")
    return Fitted(item_model.build(items, interactions, parameters), ranker, lists)


def lists_after(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    artifact: Artifact,
    policy: RecommendPolicy,
    watch: Watch | None = None,
) -> dict[str, list[str]]:
    """A list for each user when all interactions have happened: user -> item ids, best first."""
    control = RecommendControl(lambda _: artifact, policy)
    control.artifact = artifact
    recommender = Recommender()
    recommender.learn(items)
    recommender.learn(interactions, policy)
    now_ms = max((event.event_time_ms for event in interactions), default=0)
    users = dict.fromkeys(event.user_id for event in interactions)
    return {
        user: [item.item_id for item in recommender.recommend(user, now_ms, control, watch=watch).items]
        for user in users
    }


class Examples:
    """Collects the shortlists of users of whom it is known what they wanted, as far as they were offered any of it."""

    def __init__(self, wanted: dict[str, set[str]], first_list: int = 0) -> None:
        self._wanted = wanted
        self._vectors: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]] = []
        self._taken: list[np.ndarray[tuple[int], np.dtype[np.bool_]]] = []
        self._lists: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        self.next_list = first_list

    def watch(self, waiting: Waiting, _: Listed) -> None:
        """Take a shortlist in."""
        wanted, ids = self._wanted.get(waiting.user_id, set()), waiting.ask.items.ids
        taken = np.array([ids[number] in wanted for number in waiting.ranked.items], np.bool_)
        if taken.any():
            self._vectors.append(waiting.ranked.features)
            self._taken.append(taken)
            self._lists.append(np.full(len(taken), self.next_list))
            self.next_list += 1

    def examples(self) -> boosting.Lists:
        """All of them."""
        if not self._lists:
            return boosting.Lists(np.zeros((0, 0), np.float32), np.zeros(0, np.bool_), np.zeros(0, np.int64))
        return boosting.Lists(np.concatenate(self._vectors), np.concatenate(self._taken), np.concatenate(self._lists))


def items_by_user(events: Sequence[Interaction], policy: RecommendPolicy) -> dict[str, set[str]]:
    """What each user wanted of what was held out; what was only shown, or speaks for nothing, is no wish."""
    found: dict[str, set[str]] = {}
    for event in events:
        if interest(event, policy) > 0:
            found.setdefault(event.user_id, set()).add(event.item_id)
    return found

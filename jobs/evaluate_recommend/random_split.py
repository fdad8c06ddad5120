"""The protocol random-75-25 of recommenders-team: k = 10, items of the training part are never listed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.evaluate_recommend.data_set import DataSet
from jobs.evaluate_recommend.metrics import Accuracy, accuracy
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out
from jobs.train_recommend.parameters import Parameters
from schemas.events import Interaction
from serving.recommend.artifact import Artifact
from serving.recommend.beyond import Beyond, Meter
from serving.recommend.funnel import Listed
from serving.recommend.recommender import Waiting, Watch

K, SHARE, SEED = 10, 0.75, 42
# MAP, nDCG@10, precision@10, recall@10 of the README of recommenders-team/recommenders.
PUBLISHED = {
    "BiVAE": (0.146, 0.475, 0.412, 0.219),
    "BPR": (0.132, 0.442, 0.388, 0.213),
    "NCF": (0.108, 0.396, 0.347, 0.181),
    "SAR": (0.111, 0.382, 0.331, 0.176),
    "LightGCN": (0.089, 0.420, 0.380, 0.144),
    "SVD": (0.013, 0.096, 0.091, 0.033),
    "ALS": (0.005, 0.044, 0.048, 0.018),
}

Tell = Callable[[str], None]
Lists = dict[str, list[str]]


@dataclass(frozen=True)
class Result:
    """Accuracy at K, and what else is to say of the same lists."""

    accuracy: Accuracy
    beyond: Beyond


def run(data: DataSet, parameters: Parameters, *, validate: bool, threads: int, tell: Tell) -> Result:
    """Figures on the test part; with `validate` on a part cut from the training part, which alone may choose."""
    train, test = stratified(data.interactions, SHARE, SEED)
    if validate:
        train, test = stratified(train, SHARE, parameters.seed)
    artifact = fit(data, train, parameters, threads=threads, tell=tell)
    tell("listing for every user")
    meter, wanted = Meter(K), held_out.items_by_user(test, parameters.policy)

    def watch(waiting: Waiting, listed: Listed) -> None:
        items, numbers = waiting.ask.items, waiting.ranked.items[listed.rows][:K]
        meter.show(items, numbers, waiting.time_ms)
        for item in sorted(wanted.get(waiting.user_id, ())):
            meter.take(items, items.numbers[item], hit=items.numbers[item] in numbers)

    lists = lists_of(data, train, artifact, parameters, watch)
    return Result(accuracy(lists, wanted, K), meter.figures())


def fit(data: DataSet, train: Sequence[Interaction], parameters: Parameters, *, threads: int, tell: Tell) -> Artifact:
    """The artifact of a training part: its ranker learns from parts that are held out of it in turn."""
    return held_out.fit(data.items, train, parameters, stratified, threads=threads, tell=tell).artifact(parameters)


def lists_of(
    data: DataSet,
    train: Sequence[Interaction],
    artifact: Artifact,
    parameters: Parameters,
    watch: Watch | None = None,
) -> Lists:
    """A list for each user after all of the training part, made by the stream's own step."""
    return held_out.lists_after(data.items, train, artifact, parameters.policy, watch)

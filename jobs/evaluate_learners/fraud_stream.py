"""fraud-handbook as a stream with seven days of label delay: a batch champion that ages, an online learner, and both.

The champion is trained once, as `sluice train fraud` does at a point in time, with the labels known by then. The online
learner sees every payment and learns each when its label comes. The ensemble weighs both by how they did on the newest
payments whose labels are known, by the rule of the scoring job. The first CHOSEN_WEEKS after the champion's training
were used to choose settings; the weeks after them are reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from jobs.evaluate_learners.fraud_examples import LABEL_DELAY_MS, TO_MS, at, examples
from jobs.train_fraud import boosting, parameters, quality
from jobs.train_fraud.examples import Bools, Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.split import by_days
from jobs.train_fraud.train import Trained, train
from online_learning import catalogue
from online_learning.prequential import Prequential
from schemas.control import OnlineModel
from schemas.models import Signature
from serving.features.catalogue import FEATURE_SET
from serving.features.catalogue import NAMES as FEATURES
from serving.model import Model
from serving.online.weights import RECENT, RECENT_CHAMPION, performance, weights
from serving.windows import DAY_MS

Scores = NDArray[np.float64]
WEEK_MS: Final = 7 * DAY_MS
CHAMPION, ONLINE, ENSEMBLE = NAMES = ("batch champion", "online learner", "ensemble")

# Training until here, two weeks of calibration, a week of waiting for labels: the champion could be made at CUT_MS.
SPLIT = by_days(at("2018-05-01"), at("2018-06-17"), calibrate_days=14, delay_days=7, validate_days=14)
CUT_MS: Final = SPLIT.cut_ms
CHOSEN_WEEKS: Final = 4
LEARNER: Final = "fraud-logistic"
# Few features learn fast: those that the book's protocol chose (jobs/evaluate_fraud/handbook.toml).
INPUTS = tuple(parameters.read(Path(__file__).parents[1] / "evaluate_fraud" / "handbook.toml").inputs)
# Recent performance is that on so many payments with a label, five days of them.
RECENT_PAYMENTS: Final = 50_000

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Week:
    """One week by answer: its ranking figures. `reported` is false for weeks on which settings were chosen."""

    from_ms: int
    payments: int
    frauds: int
    reported: bool
    figures: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Run:
    """The weeks, and the figures of all reported weeks at once."""

    weeks: list[Week]
    reported: dict[str, dict[str, float]]


def run(folder: Path, cache: Path | None, *, threads: int, tell: Tell) -> Run:
    """Train, stream and measure. Raises InputError for another file or a stale cache."""
    known = examples(folder, cache, lambda count, _: tell(f"features: {count:,} events"))
    trees = parameters.read(Path("light"))
    trained = train(known, SPLIT, trees, threads=threads, tell=tell)
    champion = _score(_model(trained, trees), known, tell)
    online = _learn(known, tell)
    return measure(known, {CHAMPION: champion, ONLINE: online, ENSEMBLE: blend(known, champion, online)})


def measure(known: Examples, scores: dict[str, Scores]) -> Run:
    """Figures of each whole week after the cut, and of the reported ones together."""
    truth = known.frauds()
    weeks = []
    for place, from_ms in enumerate(range(CUT_MS, TO_MS - WEEK_MS + 1, WEEK_MS)):
        rows = known.between(from_ms, from_ms + WEEK_MS)
        found = {name: _figures(truth[rows], one[rows]) for name, one in scores.items()}
        weeks.append(Week(from_ms, len(rows), int(truth[rows].sum()), place >= CHOSEN_WEEKS, found))
    rows = known.between(CUT_MS + CHOSEN_WEEKS * WEEK_MS, weeks[-1].from_ms + WEEK_MS)
    return Run(weeks, {name: _figures(truth[rows], one[rows]) for name, one in scores.items()})


def blend(known: Examples, champion: Scores, online: Scores) -> Scores:
    """The weighted mean of both; weights follow, day by day, from the payments whose labels were known by then."""
    truth = known.frauds()
    own, other = (Prequential("classification", rolling=RECENT_PAYMENTS) for _ in range(2))
    blended = champion.copy()
    labelled = int(np.searchsorted(known.times_ms, CUT_MS))
    for day_ms in range(CUT_MS, TO_MS, DAY_MS):
        until = int(np.searchsorted(known.times_ms, day_ms - LABEL_DELAY_MS, side="right"))
        for row in range(labelled, until):
            own.take(float(truth[row]), float(online[row]))
            other.take(float(truth[row]), float(champion[row]))
        labelled = max(labelled, until)
        part = _part(own.figures().rolling, other.figures().rolling)
        rows = known.between(day_ms, day_ms + DAY_MS)
        blended[rows] = part * online[rows] + (1 - part) * champion[rows]
    return blended


def _part(own: dict[str, float], champion: dict[str, float]) -> float:
    metric = "average_precision"
    measured = {RECENT: own[metric], RECENT_CHAMPION: champion[metric]} if metric in own else {}
    member = OnlineModel(LEARNER, mode="member")
    (part,) = weights([(member, performance({}, LEARNER, measured))], champion=True)
    return part


def _learn(known: Examples, tell: Tell) -> Scores:
    """What the learner said of each payment from the cut on; before, it only learns."""
    learner = catalogue.definition(LEARNER).make(INPUTS, catalogue.definition(LEARNER).seed)
    truth, scores = known.frauds(), np.zeros(len(known))
    waiting: deque[tuple[int, dict[str, float]]] = deque()
    times = known.times_ms.tolist()
    for row, x in enumerate(_rows(known)):
        while waiting and times[waiting[0][0]] + LABEL_DELAY_MS <= times[row]:
            due, seen = waiting.popleft()
            learner.learn(seen, float(truth[due]))
        if times[row] >= CUT_MS:
            scores[row] = learner.predict(x)
        waiting.append((row, x))
        if row % 10_000 == 0:
            tell(f"{LEARNER}: {row:,} of {len(known):,} payments")
    return scores


def _rows(known: Examples) -> Iterator[dict[str, float]]:
    columns = [FEATURES.index(name) for name in INPUTS]
    for begin in range(0, len(known), 10_000):
        for values in known.vectors[begin : begin + 10_000][:, columns].astype(np.float64).tolist():
            yield dict(zip(INPUTS, values, strict=True))


def _score(model: Model, known: Examples, tell: Tell) -> Scores:
    tell("the champion scores")
    scores = np.zeros(len(known))
    for begin in range(0, len(known), 10_000):
        scores[begin : begin + 10_000] = model.score(known.vectors[begin : begin + 10_000].astype(np.float64))
    return scores


def _figures(truth: Bools, scores: Scores) -> dict[str, float]:
    return {
        "average_precision": quality.average_precision(truth, scores),
        "roc_auc": quality.roc_auc(truth, scores),
        "recall_at_1pct_fpr": quality.recall_at_fpr(truth, scores),
    }


def _model(trained: Trained, trees: Parameters) -> Model:
    """The champion as the job would load it."""
    signature = Signature(
        name="handbook",
        version="1",
        framework="xgboost",
        feature_set=FEATURE_SET,
        inputs=trees.inputs,
        input_tensor=boosting.INPUT_TENSOR,
        output_tensor=boosting.OUTPUT_TENSOR,
        calibration=trained.calibration,
        onnx_sha256=sha256(trained.onnx).hexdigest(),
        trained_from_ms=SPLIT.train_from_ms,
        trained_to_ms=SPLIT.train_to_ms,
        training_rows=len(trained.parts.train.rows),
        training_frauds=int(trained.parts.train.frauds.sum()),
        training_data="fraud-handbook",
        parameters={},
        code_version="",
    )
    return Model(signature, trained.onnx)

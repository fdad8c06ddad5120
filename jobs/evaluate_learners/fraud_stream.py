"""fraud-handbook as a stream with seven days of label delay: a batch champion that ages, an online learner, and both.

The champion is trained once, as `sluice train fraud` does at a point in time, with the labels known by then. The online
learner learns every fraud and a sample of the good payments, each when its label comes. Both ensembles follow from the
payments whose labels are known by then. The first CHOSEN_WEEKS after the champion's training were used to choose
settings; the weeks after them are reported.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec
import numpy as np

from jobs.evaluate_learners.fraud_ensembles import Scores, linear, pool
from jobs.evaluate_learners.fraud_examples import CUT_MS, LABEL_DELAY_MS, SPLIT, TO_MS, examples
from jobs.train_fraud import boosting, parameters, quality
from jobs.train_fraud.examples import Bools, Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.train import Trained, train
from online_learning.benchmark.fraud import forest
from schemas.models import Signature
from schemas.units import WEEK_MS
from serving.features.catalogue import FEATURE_SET
from serving.features.catalogue import NAMES as FEATURES
from serving.model import Model

CHAMPION, ONLINE, LINEAR, ENSEMBLE = NAMES = ("batch champion", "online learner", "mean of scores", "ensemble")

# Also the features below were chosen on payments until August 8.
CHOSEN_WEEKS: Final = 5
# Few features learn fast: those that the book's protocol chose (jobs/evaluate_fraud/handbook.toml).
INPUTS = tuple(parameters.read(Path(__file__).parents[1] / "evaluate_fraud" / "handbook.toml").inputs)
# The champion takes all features but those that came after its figures were published (NOTES.md).
CAME_LATER = frozenset(("user_unusual_location", "user_unusual_time"))
# Of the good payments one in so many is learned, at its weight (DECISIONS.md, 69).
FOLLOWED: Final = 10

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
    trees = champion_parameters()
    trained = train(known, SPLIT, trees, threads=threads, tell=tell)
    champion = _score(_model(trained, trees), known, tell)
    online = _learn(known, tell)
    tell("the ensembles")
    return measure(
        known,
        {
            CHAMPION: champion,
            ONLINE: online,
            LINEAR: linear(known, champion, online),
            ENSEMBLE: pool(known, champion, online),
        },
    )


def champion_parameters() -> Parameters:
    """The trees of `light` over the features that the published figures are of."""
    light = parameters.read(Path("light"))
    return msgspec.structs.replace(light, features=[name for name in light.inputs if name not in CAME_LATER])


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


def _learn(known: Examples, tell: Tell) -> Scores:
    """What the learner said of each payment from the cut on; before, it only learns."""
    learner = forest(INPUTS)
    truth, scores = known.frauds(), np.zeros(len(known))
    waiting: deque[tuple[int, dict[str, float]]] = deque()
    times = known.times_ms.tolist()
    for row, x in enumerate(_rows(known)):
        while waiting and times[waiting[0][0]] + LABEL_DELAY_MS <= times[row]:
            due, seen = waiting.popleft()
            learner.learn(seen, float(truth[due]), 1.0 if truth[due] else FOLLOWED)
        if times[row] >= CUT_MS:
            scores[row] = learner.predict(x)
        if truth[row] or crc32(known.ids[row].encode()) % FOLLOWED == 0:
            waiting.append((row, x))
        if row % 10_000 == 0:
            tell(f"online learner: {row:,} of {len(known):,} payments")
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

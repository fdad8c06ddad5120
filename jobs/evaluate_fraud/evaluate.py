"""Our features and our model by the handbook's protocol."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from jobs.evaluate_fraud.protocol import BOOK, DELAY_DAYS, FOLDS, Fold, card_precision, test_rows, train_rows
from jobs.train_fraud import boosting, quality
from jobs.train_fraud.backfill import Progress, backfill, no_progress
from jobs.train_fraud.calibrate import IDENTITY
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from schemas.errors import InputError
from schemas.models import Signature
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET
from serving.history import reader
from serving.history.mapping import load
from serving.model import Model

PARAMETERS = Path(__file__).parent / "handbook.toml"
MAPPING = "fraud-handbook"
FILE = "transactions.parquet"


class Result(msgspec.Struct, frozen=True):
    """The three figures of the book, and what they were measured on."""

    auc_roc: float
    average_precision: float
    card_precision_at_100: float
    train_rows: int
    train_frauds: int
    test_rows: int
    test_frauds: int


# Test figures of the book's chapter 3: AUC ROC, average precision, card precision@100.
PUBLISHED = {
    "logistic regression": (0.871, 0.606, 0.291),
    "decision tree, depth 2": (0.763, 0.496, 0.241),
    "decision tree": (0.788, 0.309, 0.243),
    "random forest": (0.867, 0.658, 0.287),
    "XGBoost": (0.862, 0.639, 0.273),
}


def folds(*, earlier: bool) -> Iterator[Fold]:
    """The book's own weeks, or those that parameters may be chosen on, the newest first."""
    if not earlier:
        yield BOOK
        return
    for weeks in range(1, FOLDS + 1):
        yield BOOK.earlier(weeks)


def examples_of(
    data: Path, wanted: list[Fold], progress: Progress = no_progress, *, history_days: float | None = None
) -> Examples:
    """The payments of these folds with their features; earlier ones are the history, all or `history_days` of them.

    Labels become known after seven days, as the protocol has it. Raises MappingError for another file.
    """
    file = data / FILE if data.is_dir() else data
    until_ms = max(fold.test_to_ms for fold in wanted)
    # The last labels come a delay after the last payment.
    since_ms = min(fold.train_from_ms for fold in wanted)
    events = reader.events(
        file,
        load(MAPPING),
        since_ms=None if history_days is None else since_ms - round(history_days * DAY_MS),
        until_ms=until_ms + (DELAY_DAYS + 1) * DAY_MS,
    )
    return backfill(events, since_ms=since_ms, until_ms=until_ms, progress=progress)


def run(examples: Examples, fold: Fold, parameters: Parameters, *, threads: int) -> Result:
    """Train on the fold's first week with the labels known by its test, and score the test as serving does.

    Raises InputError when the examples do not hold the fold's weeks.
    """
    train, test = train_rows(examples, fold), test_rows(examples, fold)
    learned, truth = examples.frauds(fold.test_from_ms)[train], examples.frauds()[test]
    if not (learned.any() and truth.any()):
        raise InputError("the file has no frauds in the protocol's weeks; give the fraud-handbook data set")
    booster = boosting.grow(
        examples.vectors[train][:, boosting.columns(parameters)], learned, parameters, threads=threads
    )
    scores = _served(boosting.to_onnx(booster, len(parameters.inputs)), parameters, fold).score(
        examples.vectors[test].astype(np.float64)
    )
    days = (examples.times_ms[test] - fold.test_from_ms) // DAY_MS
    return Result(
        quality.roc_auc(truth, scores),
        quality.average_precision(truth, scores),
        card_precision(days, np.array(examples.users)[test], truth, scores),
        len(train),
        int(learned.sum()),
        len(test),
        int(truth.sum()),
    )


def _served(onnx: bytes, parameters: Parameters, fold: Fold) -> Model:
    """The model as the job would load it. Calibration keeps the order, so ranking needs none."""
    signature = Signature(
        name="handbook",
        version="1",
        framework="xgboost",
        feature_set=FEATURE_SET,
        inputs=parameters.inputs,
        input_tensor=boosting.INPUT_TENSOR,
        output_tensor=boosting.OUTPUT_TENSOR,
        calibration=IDENTITY,
        onnx_sha256=sha256(onnx).hexdigest(),
        trained_from_ms=fold.train_from_ms,
        trained_to_ms=fold.train_to_ms,
        training_rows=0,
        training_frauds=0,
        training_data=MAPPING,
        parameters={},
        code_version="",
    )
    return Model(signature, onnx)

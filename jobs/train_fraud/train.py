"""From examples to a registered model: split, grow, calibrate, measure, copy to ONNX, compare, register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import msgspec
import xgboost

from jobs.train_fraud import boosting, calibrate, quality
from jobs.train_fraud.card import card
from jobs.train_fraud.curve import curve
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.reference import reference
from jobs.train_fraud.split import Part, Parts, Split, parts
from schemas.models import Calibration, Metrics, Reference, Signature
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET
from serving.registry import Registry

NAME = "fraud"
# The ONNX copy is compared on at least so many payments, as far as there are.
PARITY_ROWS = 20_000


@dataclass(frozen=True)
class Trained:
    """A model that is not registered yet."""

    onnx: bytes
    calibration: Calibration
    metrics: Metrics
    reference: Reference
    parts: Parts


def train(
    examples: Examples,
    split: Split,
    parameters: Parameters,
    *,
    threads: int,
    tell: Callable[[str], None] = lambda _line: None,
) -> Trained:
    """Train, calibrate and measure. The same examples and parameters give the same bytes.

    `tell` is given a line before each long step. Raises InputError when a part lacks frauds or good payments,
    SignatureError when the ONNX copy gives other scores.
    """
    found = parts(examples, split)
    columns = boosting.columns(parameters)
    tell(f"growing {parameters.n_estimators} trees on {len(found.train.rows):,} payments")
    booster = boosting.grow(
        examples.vectors[found.train.rows][:, columns], found.train.frauds, parameters, threads=threads
    )
    tell(f"calibrating on {len(found.calibrate.rows):,} later payments")
    raw = boosting.raw_scores(booster, examples.vectors[found.calibrate.rows][:, columns])
    calibration = calibrate.fit(raw, found.calibrate.frauds)
    tell(f"validating on {len(found.validate.rows):,} payments after the label delay")
    onnx = boosting.to_onnx(booster, len(columns))
    difference = boosting.check_parity(onnx, booster, examples.vectors[-PARITY_ROWS:][:, columns])
    training = examples.vectors[found.train.rows][:, columns]
    scores = calibrate.apply(calibration, boosting.raw_scores(booster, training))
    return Trained(
        onnx,
        calibration,
        _measure(examples, found.validate, split, booster, parameters, calibration, difference),
        reference(training, parameters.inputs, scores),
        found,
    )


def _measure(
    examples: Examples,
    part: Part,
    split: Split,
    booster: xgboost.Booster,
    parameters: Parameters,
    calibration: Calibration,
    difference: float,
) -> Metrics:
    raw = boosting.raw_scores(booster, examples.vectors[part.rows][:, boosting.columns(parameters)])
    scores = calibrate.apply(calibration, raw)
    return Metrics(
        from_ms=split.cut_ms,
        to_ms=split.validate_to_ms,
        rows=len(part.rows),
        frauds=int(part.frauds.sum()),
        roc_auc=quality.roc_auc(part.frauds, scores),
        average_precision=quality.average_precision(part.frauds, scores),
        recall_at_1pct_fpr=quality.recall_at_fpr(part.frauds, scores),
        brier=quality.brier(part.frauds, scores),
        brier_raw=quality.brier(part.frauds, raw),
        calibration_error=quality.calibration_error(part.frauds, scores),
        calibration_error_raw=quality.calibration_error(part.frauds, raw),
        onnx_difference=difference,
        curve=curve(part.frauds, scores, examples.amounts[part.rows]),
        importance=boosting.importance(booster, parameters.inputs),
    )


def register(
    registry: Registry,
    trained: Trained,
    split: Split,
    parameters: Parameters,
    *,
    name: str,
    data: str,
    code_version: str,
    author: str,
    at_ms: int,
) -> str:
    """Add the model to the registry, in Staging, and return its version. `data` says in words what it learned from."""
    train = trained.parts.train

    def files(version: str) -> dict[str, bytes]:
        signature = Signature(
            name=name,
            version=version,
            framework=f"xgboost {xgboost.__version__}",
            feature_set=FEATURE_SET,
            inputs=parameters.inputs,
            input_tensor=boosting.INPUT_TENSOR,
            output_tensor=boosting.OUTPUT_TENSOR,
            calibration=trained.calibration,
            onnx_sha256=sha256(trained.onnx).hexdigest(),
            trained_from_ms=split.train_from_ms,
            trained_to_ms=split.train_to_ms,
            training_rows=len(train.rows),
            training_frauds=int(train.frauds.sum()),
            training_data=data,
            parameters={k: v for k, v in msgspec.structs.asdict(parameters).items() if k != "features"},
            code_version=code_version,
        )
        delay_days = (split.cut_ms - split.calibrated_to_ms) / DAY_MS
        return {
            "model.onnx": trained.onnx,
            "signature.json": _json(signature),
            "metrics.json": _json(trained.metrics),
            "reference.json": _json(trained.reference),
            "card.md": card(signature, trained.metrics, delay_days).encode(),
        }

    return registry.add(name, files, author=author, at_ms=at_ms)


def _json(content: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"

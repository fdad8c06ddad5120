"""Examples, metrics and small models for tests."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from jobs.train_fraud import boosting
from jobs.train_fraud.calibrate import IDENTITY
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from schemas.models import FRAUD, CurvePoint, Metrics, Signature
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.registry import Registry

START_MS = 1_735_689_600_000
SMALL = Parameters(n_estimators=10, max_depth=3)


def examples(count: int = 4000, days: float = 40, delay_days: float = 7, fraud_share: float = 0.05, seed: int = 1):
    """Payments whose first three features tell frauds from good ones, each labelled after up to `delay_days`."""
    rng = np.random.default_rng(seed)
    times_ms = np.sort(START_MS + rng.integers(0, round(days * DAY_MS), count))
    frauds = rng.random(count) < fraud_share
    vectors = rng.normal(size=(count, len(NAMES))).astype(np.float32)
    vectors[:, :3] += 1.5 * frauds[:, None]
    known_ms = times_ms + rng.integers(1, round(delay_days * DAY_MS), count)
    order = np.argsort(known_ms, kind="stable")
    return Examples(
        vectors=vectors,
        times_ms=times_ms,
        amounts=rng.gamma(2, 40, count),
        users=[f"u{n}" for n in rng.integers(0, 200, count)],
        ids=[f"t{n}" for n in range(count)],
        verdict_rows=order,
        known_ms=known_ms[order],
        verdicts=frauds[order],
    )


def metrics(average_precision: float = 0.5, recall: float = 0.6, roc_auc: float = 0.9) -> Metrics:
    return Metrics(
        from_ms=START_MS,
        to_ms=START_MS + DAY_MS,
        rows=100,
        frauds=10,
        roc_auc=roc_auc,
        average_precision=average_precision,
        recall_at_1pct_fpr=recall,
        brier=0.01,
        brier_raw=0.02,
        calibration_error=0.01,
        calibration_error_raw=0.02,
        onnx_difference=0.0,
        curve=[CurvePoint(0.0, 10, 90, 1000.0, 900.0), CurvePoint(0.5, 5, 1, 500.0, 10.0)],
        importance={NAMES[0]: 1.0},
    )


def onnx() -> bytes:
    made = examples(300)
    booster = boosting.grow(made.vectors, made.frauds(), Parameters(n_estimators=2, max_depth=2), threads=1)
    return boosting.to_onnx(booster, len(NAMES))


def signature(version: str, model: bytes, task: str = FRAUD) -> Signature:
    return Signature(
        name="fraud",
        version=version,
        framework="test",
        feature_set=FEATURE_SET,
        inputs=list(NAMES),
        input_tensor=boosting.INPUT_TENSOR,
        output_tensor=boosting.OUTPUT_TENSOR,
        calibration=IDENTITY,
        onnx_sha256=sha256(model).hexdigest(),
        trained_from_ms=START_MS,
        trained_to_ms=START_MS + DAY_MS,
        training_rows=300,
        training_frauds=15,
        training_data="test",
        parameters={},
        code_version="0",
        task=task,
    )


def add(
    registry: Registry,
    measured: Metrics | None = None,
    model: bytes | None = None,
    name: str = "fraud",
    task: str = FRAUD,
) -> str:
    """A whole version in the registry."""
    content = model or onnx()
    return registry.add(
        name,
        lambda version: {
            "model.onnx": content,
            "signature.json": msgspec.json.encode(signature(version, content, task)),
            "metrics.json": msgspec.json.encode(measured or metrics()),
            "reference.json": b"{}",
            "card.md": b"# card",
        },
        author="tester",
        at_ms=START_MS,
    )


def files(root: Path) -> dict[str, bytes]:
    """Every file under the root by its relative path, the lock left out."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}

"""Boosted trees: grown by XGBoost, written as ONNX, and compared before anybody believes the copy."""

from __future__ import annotations

import numpy as np
import onnxmltools
import onnxruntime
import xgboost
from numpy.typing import NDArray
from onnxmltools.convert.common.data_types import FloatTensorType

from jobs.train_fraud.examples import Bools, Floats
from jobs.train_fraud.parameters import Parameters
from schemas.errors import SignatureError
from serving.features.catalogue import NAMES

INPUT_TENSOR = "features"
OUTPUT_TENSOR = "probabilities"
LARGEST_DIFFERENCE = 1e-5


def columns(parameters: Parameters) -> list[int]:
    """Where the model's inputs lie in the vector."""
    return [NAMES.index(name) for name in parameters.inputs]


def grow(vectors: Floats, frauds: Bools, parameters: Parameters, *, threads: int) -> xgboost.Booster:
    """Trees for vectors of the model's inputs, shape (n, inputs), and truths, shape (n,)."""
    weight = parameters.scale_pos_weight
    if weight == "balanced":
        weight = float(np.count_nonzero(~frauds) / np.count_nonzero(frauds))
    given = {
        "objective": "binary:logistic",
        "eval_metric": "auc",
        "tree_method": "hist",
        "nthread": threads,
        "max_depth": parameters.max_depth,
        "learning_rate": parameters.learning_rate,
        "subsample": parameters.subsample,
        "colsample_bytree": parameters.colsample_bytree,
        "colsample_bynode": parameters.colsample_bynode,
        "min_child_weight": parameters.min_child_weight,
        "gamma": parameters.gamma,
        "reg_lambda": parameters.reg_lambda,
        "scale_pos_weight": weight,
        "seed": parameters.seed,
    }
    data = xgboost.DMatrix(vectors, frauds.astype(np.float32), nthread=threads)
    return xgboost.train(given, data, parameters.n_estimators)


def raw_scores(booster: xgboost.Booster, vectors: Floats) -> NDArray[np.float64]:
    """What the trees say before calibration, shape (n,)."""
    scores: NDArray[np.float64] = booster.predict(xgboost.DMatrix(vectors)).astype(np.float64)
    return scores


def to_onnx(booster: xgboost.Booster, inputs: int) -> bytes:
    """The trees as an ONNX graph; the same trees give the same bytes."""
    model = onnxmltools.convert_xgboost(booster, initial_types=[(INPUT_TENSOR, FloatTensorType([None, inputs]))])
    # The converter draws a name, which would give the same model another hash each time.
    model.graph.name = "boosted_trees"
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def check_parity(onnx: bytes, booster: xgboost.Booster, vectors: Floats) -> float:
    """The largest difference between ONNX Runtime and XGBoost on these vectors.

    Raises SignatureError when it is more than LARGEST_DIFFERENCE.
    """
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run([OUTPUT_TENSOR], {INPUT_TENSOR: vectors})
    difference = float(np.max(np.abs(probabilities[:, 1] - raw_scores(booster, vectors)), initial=0.0))
    if not difference <= LARGEST_DIFFERENCE:
        raise SignatureError(
            f"the ONNX copy differs from XGBoost by {difference:.2g}, more than {LARGEST_DIFFERENCE:.0e}; "
            "it was not registered"
        )
    return difference


def importance(booster: xgboost.Booster, inputs: list[str]) -> dict[str, float]:
    """Features by their share of the gain, largest first; those never split on are left out."""
    gains = {inputs[int(place[1:])]: float(gain) for place, gain in _gains(booster).items()}
    total = sum(gains.values()) or 1.0
    return {name: gain / total for name, gain in sorted(gains.items(), key=lambda pair: -pair[1])}


def _gains(booster: xgboost.Booster) -> dict[str, float]:
    # XGBoost types this as if linear models were possible, which have a list a feature.
    return booster.get_score(importance_type="total_gain")  # type: ignore[return-value]  # see above

"""The ranker: a logistic base over standardised features, and LambdaMART trees (XGBoost rank:ndcg) that correct it.

The base alone carries most: trees that start from zero spend themselves on finding it again, and overfit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import onnxmltools
import onnxruntime
import xgboost
from numpy.typing import NDArray
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from jobs.train_recommend.item_model import INPUT_TENSOR, OUTPUT_TENSOR
from jobs.train_recommend.parameters import Parameters
from schemas.errors import InputError, SignatureError

LARGEST_DIFFERENCE = 1e-3

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lists:
    """Shortlists to learn from: vectors (rows, features), whether each candidate was taken, the list of each row."""

    vectors: Floats
    taken: NDArray[np.bool_]
    lists: NDArray[np.int64]


@dataclass(frozen=True)
class Trained:
    """A ranker: weights of the base by feature, the trees as ONNX (empty without trees), gain by feature number."""

    base: list[float]
    onnx: bytes
    gains: dict[int, float]

    @property
    def sha256(self) -> str:
        """Hash of the trees."""
        return sha256(self.onnx).hexdigest()


def train(examples: Lists, parameters: Parameters, *, threads: int = 1) -> Trained:
    """Fit the base, then the trees. The same examples give the same ranker.

    Raises InputError when nothing or everything was taken, SignatureError when the ONNX copy scores otherwise.
    """
    if examples.taken.all() or not examples.taken.any():
        raise InputError("no list has an item that was taken and one that was not; give a longer history")
    base = _base(examples, parameters)
    given = parameters.trees
    if given.count == 0:
        return Trained(base.tolist(), b"", {})
    order = np.argsort(examples.lists, kind="stable")
    vectors = examples.vectors[order]
    data = xgboost.DMatrix(vectors, examples.taken[order].astype(np.float32), qid=examples.lists[order])
    data.set_base_margin(vectors @ base)
    booster = xgboost.train(
        {
            "objective": "rank:ndcg",
            "lambdarank_pair_method": "topk",
            "lambdarank_num_pair_per_sample": given.pairs,
            "tree_method": "hist",
            "nthread": threads,
            "max_depth": given.depth,
            "learning_rate": given.learning_rate,
            "min_child_weight": given.min_child_weight,
            "subsample": given.subsample,
            "colsample_bynode": given.columns,
            "reg_lambda": given.reg_lambda,
            "seed": parameters.seed,
        },
        data,
        given.count,
    )
    onnx = _to_onnx(booster, vectors.shape[1])
    _check_parity(onnx, booster, vectors[:20_000])
    gains = booster.get_score(importance_type="total_gain")
    return Trained(base.tolist(), onnx, {int(name[1:]): float(gain) for name, gain in gains.items()})  # type: ignore[arg-type]  # lists are of linear models


def _base(examples: Lists, parameters: Parameters) -> Floats:
    """Weights of the features as they come; standardised while they are fitted, so that each is shrunk alike."""
    mean, deviation = examples.vectors.mean(axis=0), examples.vectors.std(axis=0)
    # A feature that hardly moves would get a weight of any size.
    scale = np.where(deviation > 1e-3 * (1.0 + np.abs(mean)), deviation, np.inf)
    fitted = LogisticRegression(C=0.1, max_iter=500, random_state=parameters.seed)
    fitted.fit((examples.vectors - mean) / scale, examples.taken)
    weights: Floats = (fitted.coef_[0] / scale).astype(np.float32)
    return weights


def _to_onnx(booster: xgboost.Booster, inputs: int) -> bytes:
    """The trees as an ONNX graph; the converter knows them only as those of a regression."""
    described = json.loads(booster.save_raw("json"))
    described["learner"]["objective"] = {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}}
    trees = xgboost.Booster(model_file=bytearray(json.dumps(described).encode()))
    model = onnxmltools.convert_xgboost(trees, initial_types=[(INPUT_TENSOR, FloatTensorType([None, inputs]))])
    model.graph.name = "ranker"  # the converter draws a name
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def _check_parity(onnx: bytes, booster: xgboost.Booster, vectors: Floats) -> None:
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    copied = np.asarray(session.run([OUTPUT_TENSOR], {INPUT_TENSOR: vectors})[0]).reshape(-1)
    apart = copied - booster.predict(xgboost.DMatrix(vectors), output_margin=True)
    # A constant changes no order.
    difference = float(np.max(np.abs(apart - apart.mean()), initial=0.0))
    if not difference <= LARGEST_DIFFERENCE:
        raise SignatureError(f"the ONNX copy of the ranker differs from XGBoost by {difference:.2g}; not registered")

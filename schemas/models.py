"""The contract of a model artifact: what its folder holds and what must match before it may score.

A folder has `model.onnx`, `signature.json` (this file's Signature), `metrics.json` and `card.md`. The pointer
on the control topic carries the SHA-256 of `signature.json`, which carries that of `model.onnx`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

# What a model is for: a job takes models for its own task and passes others by. Any word will do, for a release must be
# able to pass by what it has never heard of.
Task = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
# What every model was for before there were tasks.
FRAUD: Task = "fraud"
RECOMMEND: Task = "recommend"
Stage = Literal["None", "Staging", "Candidate", "Shadow", "Production", "Archived"]


class Calibration(msgspec.Struct, frozen=True):
    """A rising, piecewise linear map from raw score to probability, given by its corners."""

    raw: list[float]
    probability: list[float]


class Described(msgspec.Struct, frozen=True):
    """What the signature of every model states, whatever its task."""

    name: str
    version: str
    trained_to_ms: int
    task: Task = FRAUD
    training_data: str = ""


class Signature(msgspec.Struct, frozen=True):
    """What a model takes and gives: `inputs` are feature names in order, float32; the output is one raw score a row."""

    name: str
    version: str
    framework: str
    feature_set: str
    inputs: list[str]
    input_tensor: str
    output_tensor: str
    calibration: Calibration
    onnx_sha256: str
    trained_from_ms: int
    trained_to_ms: int
    training_rows: int
    training_frauds: int
    training_data: str
    parameters: dict[str, float | int | str]
    code_version: str
    task: Task = FRAUD


class CurvePoint(msgspec.Struct, frozen=True):
    """What lies strictly above a threshold of the probability: payments and their amounts, frauds and good ones."""

    threshold: float
    frauds: int
    goods: int
    fraud_amount: float
    good_amount: float


class Metrics(msgspec.Struct, frozen=True):
    """How a model did on its validation days. `..._raw` is before calibration; the curve falls from threshold 0."""

    from_ms: int
    to_ms: int
    rows: int
    frauds: int
    roc_auc: float
    average_precision: float
    recall_at_1pct_fpr: float
    brier: float
    brier_raw: float
    calibration_error: float
    calibration_error_raw: float
    onnx_difference: float
    curve: list[CurvePoint]
    importance: dict[str, float]


class Distribution(msgspec.Struct, frozen=True, omit_defaults=True):
    """Shares of the bins that the inner `edges` make, open at both ends: bin i holds edges[i-1] < x <= edges[i].

    `fine_edges` and `fine_shares` are the same in up to a hundred bins, whose edges hold the others; `low` and `high`
    are the smallest and the largest value. Older references have neither.
    """

    edges: list[float]
    shares: list[float]
    mean: float
    deviation: float
    fine_edges: list[float] = []
    fine_shares: list[float] = []
    low: float | None = None
    high: float | None = None


class Components(msgspec.Struct, frozen=True):
    """Principal components of the standardised features, and how far rows of the training days lay from them.

    `axes` has a row of features for each component. `error` is the distribution of the root mean square of what is
    left of a row.
    """

    inputs: list[str]
    mean: list[float]
    scale: list[float]
    axes: list[list[float]]
    error: Distribution


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the training days looked like: drift is measured against it. `score` is the calibrated probability.

    `components` are of the features together; older references have none.
    """

    rows: int
    features: dict[str, Distribution]
    score: Distribution
    components: Components | None = None


class Promotion(msgspec.Struct, frozen=True):
    """A version that entered a stage: when, by whose hand, and why."""

    version: str
    stage: Stage
    at_ms: int
    author: str
    note: str = ""


class Stages(msgspec.Struct, frozen=True):
    """The stage of each version of one model. `champions` are the Production versions, the present one last."""

    stages: dict[str, Stage] = {}
    champions: list[str] = []
    history: list[Promotion] = []

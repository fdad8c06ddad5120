"""The contract of a model artifact: what its folder holds and what must match before it may score.

A folder has `model.onnx`, `signature.json` (this file's Signature), `metrics.json` and `card.md`. The pointer
on the control topic carries the SHA-256 of `signature.json`, which carries that of `model.onnx`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Stage = Literal["None", "Staging", "Candidate", "Production", "Archived"]


class Calibration(msgspec.Struct, frozen=True):
    """A rising, piecewise linear map from raw score to probability, given by its corners."""

    raw: list[float]
    probability: list[float]


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

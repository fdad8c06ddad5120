"""An ONNX model, loaded as everything here scores: on one thread of the CPU."""

from __future__ import annotations

import onnxruntime

from schemas.errors import SignatureError


def load(label: str, onnx: bytes) -> onnxruntime.InferenceSession:
    """A session over the bytes of a model. Raises SignatureError that names `label`."""
    options = onnxruntime.SessionOptions()
    # The stream gives each scoring process one core; more threads only fight for it.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises its own kinds
        raise SignatureError(f"{label}: ONNX Runtime can not load it: {error}") from error

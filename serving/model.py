"""A model artifact as a scorer: ONNX Runtime, one thread, calibrated, hash-checked when it is loaded."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.control import ModelPointer
from schemas.errors import ModelError, SignatureError
from schemas.models import FRAUD, Signature
from serving import onnx_session
from serving.artifact_folder import ArtifactFolder
from serving.features.catalogue import NAMES

# A batch has any number of payments, and a model may have been exported for one alone.
TRIAL_ROWS = (1, 3)


class Model:
    """A loaded model. `label` is `name@version`, as decisions record it."""

    def __init__(self, signature: Signature, onnx: bytes) -> None:
        self.signature = signature
        self.label = f"{signature.name}@{signature.version}"
        self._session = onnx_session.load(f"model {self.label}", onnx)
        missing = [name for name in signature.inputs if name not in NAMES]
        if missing:
            raise SignatureError(f"model {self.label} wants features this release has not: {', '.join(missing[:5])}")
        columns = [NAMES.index(name) for name in signature.inputs]
        self._columns = None if columns == list(range(len(NAMES))) else np.array(columns)
        self._raw = np.array(signature.calibration.raw)
        self._probability = np.array(signature.calibration.probability)
        for rows in TRIAL_ROWS:
            self._try(rows)

    def score(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fraud probabilities, shape (n,), of feature vectors in catalogue order, shape (n, features)."""
        chosen = vectors if self._columns is None else vectors[:, self._columns]
        outputs = self._session.run(
            [self.signature.output_tensor], {self.signature.input_tensor: chosen.astype(np.float32)}
        )
        raw = np.asarray(outputs[0])
        # A classifier gives one column a class, a regressor one column or none.
        raw = raw[:, -1] if raw.ndim == 2 else raw
        if not np.isfinite(raw).all():
            # Every comparison with "not a number" is false: it would read as approval.
            raise ModelError(f"model {self.label} gave a score that is no number; roll it back with `sluice models`")
        probability: NDArray[np.float64] = np.interp(raw, self._raw, self._probability)
        return probability

    def _try(self, rows: int) -> None:
        """Score once before the model is in force: what fails here would fail at every payment."""
        try:
            scores = self.score(np.zeros((rows, len(NAMES))))
        except ModelError:
            raise
        except Exception as error:  # the library raises its own kinds, and its numbers may be of any shape
            said = " ".join(str(error).split())[:300]
            raise SignatureError(f"model {self.label} can not score what its signature says: {said}") from error
        if scores.shape != (rows,):
            raise SignatureError(f"model {self.label} gives scores of shape {scores.shape} for {rows} payments")


def load(pointer: ModelPointer, root: Path) -> Model:
    """The fraud model that the pointer names, its folder taken relative to the registry `root`.

    Raises SignatureError when it is for another task, or its inputs are not features of this release, and what
    `artifact` raises.
    """
    signature, onnx = artifact(pointer, root)
    if signature.task != FRAUD:
        raise SignatureError(f"model {pointer.name}@{pointer.version} is for {signature.task}, not for {FRAUD}")
    return Model(signature, onnx)


def artifact(pointer: ModelPointer, root: Path) -> tuple[Signature, bytes]:
    """The whole artifact of a model for any task: its signature and its ONNX bytes.

    Raises SignatureError when a file is missing, a hash differs, or pointer and signature name different tasks.
    """
    folder = ArtifactFolder(pointer, root)
    signature, onnx = folder.signature(Signature), folder.read("model.onnx")
    if sha256(onnx).hexdigest() != signature.onnx_sha256:
        raise SignatureError(f"model {folder.label}: model.onnx differs from its signature's hash")
    if pointer.task != signature.task:
        raise SignatureError(f"model {folder.label} is for {signature.task}, its pointer says {pointer.task}")
    return signature, onnx

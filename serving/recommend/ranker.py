"""The ranker: a linear base and boosted trees that correct it, the trees by ONNX Runtime on one thread."""

from __future__ import annotations

import numpy as np

from schemas.errors import ModelError, SignatureError
from schemas.recommend_models import RecommendSignature
from serving import onnx_session
from serving.recommend.features.catalogue import FEATURE_SET, NAMES
from serving.recommend.workspace import Scores

# A list has any number of candidates, and trees may have been exported for one alone.
TRIAL_ROWS = (1, 3)


class Ranker:
    """Scores vectors of the catalogue; higher is better, the scale means nothing."""

    def __init__(self, signature: RecommendSignature, onnx: bytes) -> None:
        self.label = f"{signature.name}@{signature.version}"
        if signature.feature_set != FEATURE_SET or signature.inputs != list(NAMES):
            raise SignatureError(
                f"ranker {self.label} was trained on features {signature.feature_set}, this release computes "
                f"{FEATURE_SET}; train it again"
            )
        if len(signature.base) != len(NAMES):
            raise SignatureError(f"ranker {self.label}: {len(signature.base)} weights for {len(NAMES)} features")
        self._base = np.array(signature.base, np.float32)
        self._input, self._outputs = signature.input_tensor, [signature.output_tensor]
        self._session = onnx_session.load(f"ranker {self.label}", onnx) if onnx else None
        for rows in TRIAL_ROWS:
            self._try(rows)

    def score(self, vectors: Scores) -> Scores:
        """Scores, shape (n,), of vectors of shape (n, features).

        Raises ModelError when one is no number: it would sort anywhere.
        """
        scores: Scores = vectors @ self._base
        if self._session is not None and len(vectors):
            scores = scores + np.asarray(self._session.run(self._outputs, {self._input: vectors})[0]).reshape(-1)
        if not np.isfinite(scores).all():
            raise ModelError(f"ranker {self.label} gave a score that is no number; roll it back with `sluice models`")
        return scores

    def _try(self, rows: int) -> None:
        """Score once before the artifact is in force: what fails here would fail at every list."""
        try:
            scores = self.score(np.zeros((rows, len(NAMES)), np.float32))
        except ModelError as error:
            raise SignatureError(f"ranker {self.label} gives no number; train it again") from error
        except Exception as error:  # the library raises its own kinds, and its numbers may be of any shape
            said = " ".join(str(error).split())[:300]
            raise SignatureError(f"ranker {self.label} can not score what its signature says: {said}") from error
        if scores.shape != (rows,):
            raise SignatureError(f"ranker {self.label} gives scores of shape {scores.shape} for {rows} candidates")

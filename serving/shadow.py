"""A model of the registry as a shadow: it scores what the champion scores, is logged, and answers nothing (ROL-11)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.model import Model

Scores = NDArray[np.float64]


class Shadow:
    """A model beside the champion. `label` is `name@version`, as decisions record it among online models."""

    def __init__(self, model: Model) -> None:
        self.label = model.label
        self._model = model

    def scores(self, vectors: Scores) -> Scores | None:
        """Fraud probabilities, shape (n,), of feature vectors, shape (n, features); None where the model fails.

        Whatever it is: payments do not wait for a model that answers nothing. The stage counts those it is silent on.
        """
        try:
            return self._model.score(vectors)
        except Exception:  # the library raises its own kinds
            return None

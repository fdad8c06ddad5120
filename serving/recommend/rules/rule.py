"""What a rule is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.recommend.ask import Ask
from serving.recommend.workspace import Numbers

Kept = NDArray[np.bool_]


class Rule(Protocol):
    """A file of this folder. A rule that is not `HARD` gives way when nothing else is left to show."""

    NAME: str
    HARD: bool

    def keep(self, ask: Ask, candidates: Numbers) -> Kept:
        """Which candidates may stand in the list, shape (candidates,)."""

"""What a policy would have earned, from the log of another one: IPS, SNIPS and DR.

Each row of the log is one shown item with its reward, the probability with which the logging policy showed it there,
and the probability with which the target policy would have. w = target / propensity, r the reward, q a reward model:

    IPS    mean(w r)                          (Horvitz and Thompson, 1952)
    SNIPS  sum(w r) / sum(w)                  (Swaminathan and Joachims, 2015)
    DR     mean(E_target[q] + w (r - q))      (Dudik, Langford and Li, 2011)

The value is the reward per row, such as the click rate of shown items.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from jobs.evaluate_recommend.intervals import Estimate, Floats, ratio, summed
from schemas.errors import InputError

SEED = 17


class Log(msgspec.Struct, frozen=True):
    """Columns over rows. `unit` numbers what is independent (users), from 0 and without gaps.

    Raises InputError when a propensity is not in (0, 1], a target not in [0, 1], or columns differ in length.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    unit: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len({len(self.reward), len(self.propensity), len(self.target), len(self.unit)}) != 1:
            raise InputError("the columns of a log differ in length")
        for name, values, low in (("propensity", self.propensity, 0.0), ("target", self.target, -1e-12)):
            bad = np.flatnonzero(~((values > low) & (values <= 1 + 1e-9)))
            if len(bad):
                raise InputError(f"row {bad[0]}: {name} is {values[bad[0]]:g}, no probability of something shown")


class Model(msgspec.Struct, frozen=True):
    """A reward model's word on each row: of the shown item, and the mean over what the target would show instead.

    Its rows must not have been seen when it was fitted: unbiasedness needs a q that is independent of r.
    """

    of_shown: Floats
    of_target: Floats


class Weights(msgspec.Struct, frozen=True):
    """Importance weights, cut at `clip`; `clipped_share` is the share of weight that the cut took away."""

    values: Floats
    clip: float
    clipped_share: float
    largest: float

    @property
    def effective_sample_size(self) -> float:
        """(sum w)^2 / sum w^2: as many rows of the target's own log would tell as much. Kish, 1965."""
        squares = float((self.values**2).sum())
        return float(self.values.sum()) ** 2 / squares if squares else 0.0


def weights(log: Log, clip: float | None = None) -> Weights:
    """Importance weights. Without a `clip` they are cut at the square root of the number of rows.

    A cut weight biases towards the logging policy's rate and bounds the variance; with that bound the bias vanishes
    as the log grows (Ionides, 2008).
    """
    limit = math.sqrt(len(log.reward)) if clip is None else clip
    full = log.target / log.propensity
    cut = np.minimum(full, limit)
    total = float(full.sum())
    return Weights(cut, limit, 1 - float(cut.sum()) / total if total else 0.0, float(full.max(initial=0.0)))


def estimates(log: Log, model: Model | None = None, *, clip: float | None = None) -> dict[str, Estimate]:
    """`ips`, `snips`, and with a reward model `dr`.

    Raises InputError when the target would show nothing of what the log holds, or fewer than two units are there.
    """
    w = weights(log, clip).values
    one = np.ones(len(w))
    sums = {"ips": (w * log.reward, one), "snips": (w * log.reward, w)}
    if model is not None:
        sums["dr"] = (model.of_target + w * (log.reward - model.of_shown), one)
    try:
        return {
            name: ratio(summed(log.unit, rows), summed(log.unit, per), seed=SEED) for name, (rows, per) in sums.items()
        }
    except ValueError as error:
        raise InputError(f"{error}; give a log of more users, and a target that overlaps with it") from error

"""The split by time: train, calibrate on later days, wait for the labels, then validate on what comes after.

    train_from ... train_to ... calibrated_to ..(delay).. cut ... validate_to
    |    train    |  calibrate  |   labels come in       | validate |

The model could have been made at `cut`: training and calibration use only labels known by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.train_fraud.examples import Bools, Examples, Rows
from schemas.errors import InputError
from schemas.units import DAY_MS

# Of the days that are left when the label delay is taken off: the rest is for training.
WARM_UP_SHARE = 0.15
CALIBRATE_SHARE = 0.2
VALIDATE_SHARE = 0.2
# A backtest that would take more leaves too little to learn from.
MOST_BACKTEST_SHARE = 0.4


@dataclass(frozen=True)
class Split:
    """Instants in milliseconds, each the end of one part and the start of the next."""

    train_from_ms: int
    train_to_ms: int
    calibrated_to_ms: int
    cut_ms: int
    validate_to_ms: int

    def __post_init__(self) -> None:
        instants = (self.train_from_ms, self.train_to_ms, self.calibrated_to_ms, self.cut_ms, self.validate_to_ms)
        if not (instants[0] < instants[1] < instants[2] <= instants[3] < instants[4]):
            raise InputError(
                "the history is too short for training, calibration, label delay and validation in turn; "
                "give a longer one, an earlier --train-from, or a shorter --delay-days"
            )


@dataclass(frozen=True)
class Part:
    """Rows of the examples with what was known of them."""

    rows: Rows
    frauds: Bools


@dataclass(frozen=True)
class Parts:
    """The examples of each part of a split."""

    train: Part
    calibrate: Part
    validate: Part


def by_shares(
    first_ms: int,
    last_ms: int,
    delay_ms: int,
    longer: str = "give more, or a shorter --delay-days",
    backtest_ms: int = 0,
) -> Split:
    """A split of the whole history: warm-up, training, calibration, delay, validation.

    Validation is the last `backtest_ms`, where they are at most MOST_BACKTEST_SHARE of what is left without the delay.
    Raises InputError that names the span of a history which is over before the delay is, with `longer` as the way out.
    """
    days = last_ms + 1 - first_ms - delay_ms
    if days <= 0:
        raise InputError(
            f"the history is too short: it spans {(last_ms + 1 - first_ms) / DAY_MS:.1f} days, and labels are "
            f"waited for {delay_ms / DAY_MS:g}: nothing is left to learn from; {longer}"
        )
    validate = round(days * VALIDATE_SHARE)
    if 0 < backtest_ms <= days * MOST_BACKTEST_SHARE:
        validate = backtest_ms
        # The other parts are to each other as ever.
        days = round((days - validate) / (1 - VALIDATE_SHARE))
    train_from = first_ms + round(days * WARM_UP_SHARE)
    validate_from = last_ms + 1 - validate
    calibrated_to = validate_from - delay_ms
    train_to = calibrated_to - round(days * CALIBRATE_SHARE)
    return Split(train_from, train_to, calibrated_to, validate_from, last_ms + 1)


def by_days(
    train_from_ms: int, train_to_ms: int, *, calibrate_days: float, delay_days: float, validate_days: float
) -> Split:
    """A split around a given training range, each later part that many days long."""
    calibrated_to = train_to_ms + round(calibrate_days * DAY_MS)
    cut = calibrated_to + round(delay_days * DAY_MS)
    return Split(train_from_ms, train_to_ms, calibrated_to, cut, cut + round(validate_days * DAY_MS))


def parts(examples: Examples, split: Split) -> Parts:
    """The rows and truths of each part.

    Training and calibration know only what was known at the cut; validation is judged by all that is known.
    Raises InputError that names a part without frauds or without good payments.
    """
    at_cut, at_last = examples.frauds(split.cut_ms), examples.frauds()
    found = Parts(
        train=_part(examples, split.train_from_ms, split.train_to_ms, at_cut),
        calibrate=_part(examples, split.train_to_ms, split.calibrated_to_ms, at_cut),
        validate=_part(examples, split.cut_ms, split.validate_to_ms, at_last),
    )
    for name, part in (("training", found.train), ("calibration", found.calibrate), ("validation", found.validate)):
        frauds = int(np.count_nonzero(part.frauds))
        if not 0 < frauds < len(part.rows):
            raise InputError(
                f"{name} has {len(part.rows):,} payments with {frauds:,} known frauds; both kinds are needed: "
                "give a longer history, or other days"
            )
    return found


def _part(examples: Examples, from_ms: int, to_ms: int, frauds: Bools) -> Part:
    rows = examples.between(from_ms, to_ms)
    return Part(rows, frauds[rows])

"""The Open Bandit files: the log of a uniform random policy, and the one of Bernoulli Thompson sampling beside it.

The value of the Thompson policy is estimated from the random log and compared with the click rate it really had.
What the policy would have shown is the share of each item in each place of its own log: no click is looked at
(DECISIONS.md, 35).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.evaluate_recommend import reward_model
from jobs.evaluate_recommend.estimators import Log, Model
from jobs.evaluate_recommend.intervals import Floats
from schemas.errors import InputError
from serving.history import table

RANDOM, THOMPSON = "random.csv.gz", "bts.csv.gz"
# The logs have three; what a policy showed is a table of places and items.
MOST_PLACES = 1000
_WAY_OUT = "give the files of the Open Bandit set"
USER_FEATURES = tuple(f"user_feature_{number}" for number in range(4))


class Impressions(msgspec.Struct, frozen=True):
    """Columns over impressions; items and places count from 0. `users` are four coded features, rows x 4.

    `affinities` are rows x items.
    """

    item: NDArray[np.int64]
    place: NDArray[np.int64]
    click: Floats
    propensity: Floats
    users: NDArray[np.str_]
    affinities: Floats


def present(folder: Path) -> bool:
    """Whether the folder holds both logs."""
    return (folder / RANDOM).exists() and (folder / THOMPSON).exists()


def read(file: Path, items: int) -> Impressions:
    """One log with `items` items. Raises MappingError for another file, InputError for cells that can not be."""
    affinities = [f"user-item_affinity_{item}" for item in range(items)]
    rows = table.read(file, ["item_id", "position", "click", "propensity_score", *USER_FEATURES, *affinities])
    try:
        numbers = {
            name: rows[name].cast(pa.float64()).to_numpy()
            for name in ("item_id", "position", "click", "propensity_score", *affinities)
        }
    except pa.ArrowInvalid as error:
        raise InputError(f"{file}: {error}; {_WAY_OUT}") from error
    _check(file, numbers, items)
    return Impressions(
        numbers["item_id"].astype(np.int64),
        numbers["position"].astype(np.int64) - 1,
        numbers["click"],
        numbers["propensity_score"],
        np.stack([pc.fill_null(rows[name], "").to_numpy().astype(np.str_) for name in USER_FEATURES], axis=1),
        np.stack([numbers[name] for name in affinities], axis=1),
    )


def items_of(folder: Path) -> int:
    """How many items the files know: as many as the log of the random policy has affinities for.

    Raises InputError for a file that can not be read, or has none.
    """
    file = folder / RANDOM
    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            head: bytes = stream.read(1 << 16).split(b"\n", 1)[0]
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file}: {' '.join(str(error).split())}; {_WAY_OUT}") from error
    items = head.count(b"user-item_affinity_")
    if not items:
        raise InputError(f"{file}: no column user-item_affinity_0; {_WAY_OUT}")
    return items


def _check(file: Path, numbers: dict[str, Floats], items: int) -> None:
    """Raises InputError for a log without rows, and for the first column with a cell that can not be."""
    if not len(numbers["item_id"]):
        raise InputError(f"{file}: no rows; {_WAY_OUT}")
    # The least and the most of a column that is counted.
    whole = {"item_id": (0, items - 1), "position": (1, MOST_PLACES), "click": (0, 1)}
    for name, values in numbers.items():
        fits = np.isfinite(values)
        if name in whole:
            least, most = whole[name]
            fits &= (values >= least) & (values <= most) & (values == np.floor(values))
        if not fits.all():
            row = int(np.argmin(fits))
            raise InputError(f"{file}: row {row + 1} has {values[row]:g} as {name}; {_WAY_OUT}")


def shares(log: Impressions, items: int) -> Floats:
    """How often the policy of a log showed each item in each place: places x items, each place sums to 1."""
    counts: Floats = np.zeros((int(log.place.max()) + 1, items))
    np.add.at(counts, (log.place, log.item), 1.0)
    total: Floats = counts.sum(axis=1, keepdims=True)
    return counts / total


def check_places(folder: Path, random: Impressions, thompson: Impressions) -> None:
    """Raises InputError when the random log has a place of which the other says nothing."""
    alone = np.setdiff1d(random.place, thompson.place)
    if len(alone):
        raise InputError(f"{folder / THOMPSON}: no row has position {alone[0] + 1}, {RANDOM} has some; {_WAY_OUT}")


def off_policy_log(random: Impressions, policy: Floats) -> Log:
    """The random log as evidence about a policy of places x items; impressions are taken as independent."""
    return Log(random.click, random.propensity, policy[random.place, random.item], np.arange(len(random.item)))


def model(random: Impressions, policy: Floats) -> Model:
    """Cross-fitted rewards by item, place, the four user features and the user's affinity to the item."""
    items = policy.shape[1]
    base = np.concatenate([_one_hot(random.place), *(_one_hot(random.users[:, f]) for f in range(4))], axis=1)

    def features(item: NDArray[np.int64]) -> Floats:
        chosen = np.eye(items)[item]
        return np.concatenate([base, chosen, (random.affinities * chosen).sum(axis=1, keepdims=True)], axis=1)

    rows = np.arange(len(random.item))
    others = (features(np.full(len(rows), item)) for item in range(items))
    of_shown, of_items = reward_model.cross_fit(features(random.item), random.click, rows, others)
    return Model(of_shown, (policy[random.place] * np.stack(of_items, axis=1)).sum(axis=1))


def _one_hot(values: NDArray[np.int64] | NDArray[np.str_]) -> Floats:
    kinds, codes = np.unique(values, return_inverse=True)
    hot: Floats = np.eye(len(kinds))[codes]
    return hot

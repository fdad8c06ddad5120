"""What a rule kind is: a rule record made ready once, then asked for each payment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from schemas.control import Rule
from schemas.errors import InvalidError
from schemas.events import Transaction
from serving.features.catalogue import NAMES

# Observed value and limit when the rule fires, None when it does not.
Finding = tuple[float, float] | None
# The feature values of one payment, in vector order.
Values = NDArray[np.float64]
Check = Callable[[Transaction, Values], Finding]


def number(rule: Rule, name: str) -> float:
    """A numeric parameter of the rule; raises InvalidError when it is missing or no number."""
    value = rule.parameters.get(name)
    if not isinstance(value, int | float):
        raise InvalidError(f"rule kind {rule.kind} needs the number {name!r} in its parameters")
    return float(value)


def position(name: str) -> int:
    """Place of a feature in the vector; raises InvalidError when there is no such feature."""
    try:
        return NAMES.index(name)
    except ValueError:
        raise InvalidError(f"a rule names the feature {name!r}, which is not in the catalogue") from None

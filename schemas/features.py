"""What a feature is: a frozen definition that the vector order and the documentation follow from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.units import DAY_S

EntityKind = Literal["transaction", "user", "merchant", "device", "card"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One number of the vector.

    `default` is what a reader sees for an entity that has no history (FST-6); `ttl_s` is how long the value holds after
    the entity's last event, then it reads as the default (PUSH-2); `window` is the trailing width, empty when there is
    none. `calendar` says that the value follows from the date, which never comes back: a model gets it only when its
    parameters name it, and its drift is not told. `cycle_s` is the period in which the value goes round by itself: what
    is of less than a whole one is no sample of it, and its drift is not judged by it. 0 = none.
    """

    name: str
    entity: EntityKind
    aggregate: str
    description: str
    window: str = ""
    type: Literal["float", "int", "bool"] = "float"
    default: float = 0.0
    ttl_s: int = 40 * DAY_S
    owner: str = "fraud"
    calendar: bool = False
    cycle_s: int = 0

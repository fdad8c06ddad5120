"""The catalogue of fraud patterns: one line a pattern, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from infra.generator.payments.draft import Draft
from infra.generator.payments.patterns import (
    account_takeover,
    amount_creep,
    card_testing,
    compromised_merchant,
    remote_access,
)
from infra.generator.payments.world import World

Campaign = Callable[[World, np.random.Generator, int], list[Draft]]


class Pattern(NamedTuple):
    """A pattern: its share of all fraud, the mean payments of one campaign, and the days one lasts at most.

    A share of 0 is of a pattern that occurs only where it is asked for by name. `campaign(world, rng, start_ms)` gives
    the payments of one campaign, in order of time, none before `start_ms`.
    """

    name: str
    share: float
    mean_payments: float
    max_days: int
    campaign: Campaign


PATTERNS = (
    Pattern("card_testing", 0.30, card_testing.MEAN_PAYMENTS, 1, card_testing.campaign),
    Pattern("account_takeover", 0.30, account_takeover.MEAN_PAYMENTS, 1, account_takeover.campaign),
    Pattern("compromised_merchant", 0.25, compromised_merchant.MEAN_PAYMENTS, 14, compromised_merchant.campaign),
    Pattern("amount_creep", 0.15, amount_creep.MEAN_PAYMENTS, 21, amount_creep.campaign),
    Pattern("remote_access", 0.0, remote_access.MEAN_PAYMENTS, 1, remote_access.campaign),
)


def shares(names: tuple[str, ...]) -> tuple[float, ...]:
    """The share of each pattern in the fraud of a world: the catalogue's, or equal ones of the patterns named."""
    return tuple((1 / len(names) if pattern.name in names else 0.0) if names else pattern.share for pattern in PATTERNS)

"""Which thresholds cost least, judged by a model's validation curve (X10, FRD-24), and what each would do (FRD-20).

A payment is approved, reviewed, challenged or blocked by the band its probability lies in, and each band has a
cost for a fraud and for a good payment. All triples review <= challenge <= block of the curve are compared.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from schemas.control import Thresholds
from schemas.models import CurvePoint

Money = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Doubles = NDArray[np.float64]


class Costs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What mistakes cost, in major units; shares are of payments.

    `chargeback` comes on top of the amount of a fraud that passes. `margin` is what a lost good payment costs, as a
    share of its amount. Of the challenged, `abandoned` good payers give up and `passed` frauds come through. A review
    costs `review` and comes after the payment: of its frauds, a share of `recovered` is still stopped. At most
    `review_capacity` of the traffic goes to reviewers.
    """

    chargeback: Money = 35.0
    margin: Share = 1.0
    abandoned: Share = 0.15
    passed: Share = 0.1
    review: Money = 3.0
    recovered: Share = 0.5
    review_capacity: Share = 0.01


class Effect(msgspec.Struct, frozen=True):
    """What a threshold does by itself: false positive rate, share of frauds caught, money saved and turned away."""

    threshold: float
    false_positive_rate: float
    catch: float
    fraud_blocked: float
    revenue_lost: float


class Suggestion(msgspec.Struct, frozen=True):
    """The thresholds that cost least, their cost, that of the thresholds in force, and the share under review."""

    thresholds: Thresholds
    cost: float
    present_cost: float
    review_share: float


def effects(curve: list[CurvePoint], thresholds: list[float]) -> list[Effect]:
    """One row a threshold, the nearest of the curve; the curve's first point holds all payments above zero."""
    frauds, goods = max(curve[0].frauds, 1), max(curve[0].goods, 1)
    nearest = [min(curve, key=lambda point: abs(point.threshold - wanted)) for wanted in thresholds]
    return [Effect(p.threshold, p.goods / goods, p.frauds / frauds, p.fraud_amount, p.good_amount) for p in nearest]


def suggest(curve: list[CurvePoint], costs: Costs, present: Thresholds) -> Suggestion:
    """The cheapest thresholds of the curve for these costs; of equals, the highest."""
    at = np.array([point.threshold for point in curve])
    approve, review, challenge, block = _costs_above(curve, costs)
    # A band from a to b costs what lies above a less what lies above b.
    total = (
        (approve[0] - approve)[:, None, None]
        + review[:, None, None]
        - review[None, :, None]
        + challenge[None, :, None]
        - challenge[None, None, :]
        + block[None, None, :]
    )
    count = np.array([float(point.frauds + point.goods) for point in curve])
    reviewed = (count[:, None] - count[None, :]) / max(count[0], 1.0)
    step = np.arange(len(at))
    rising = (step[:, None] <= step[None, :])[:, :, None] & (step[:, None] <= step[None, :])[None, :, :]
    allowed = rising & (reviewed <= costs.review_capacity)[:, :, None]
    total = np.where(allowed, total, np.inf)
    # Turned round, so that argmin's first place is the highest thresholds.
    place = total.size - 1 - int(np.argmin(total.ravel()[::-1]))
    low, middle, high = (int(index) for index in np.unravel_index(place, total.shape))
    now = [int(np.argmin(np.abs(at - value))) for value in (present.review, present.challenge, present.block)]
    present_cost = (
        approve[0]
        - approve[now[0]]
        + review[now[0]]
        - review[now[1]]
        + challenge[now[1]]
        - challenge[now[2]]
        + block[now[2]]
    )
    return Suggestion(
        Thresholds(float(at[low]), float(at[middle]), float(at[high])),
        float(total[low, middle, high]),
        float(present_cost),
        float(reviewed[low, middle]),
    )


def _costs_above(curve: list[CurvePoint], costs: Costs) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """For each decision, what it costs to give it to everything above each point of the curve."""
    frauds = np.array([float(point.frauds) for point in curve])
    goods = np.array([float(point.goods) for point in curve])
    stolen = np.array([point.fraud_amount for point in curve]) + costs.chargeback * frauds
    turnover = costs.margin * np.array([point.good_amount for point in curve])
    reviewed = costs.review * (frauds + goods) + (1 - costs.recovered) * stolen
    return stolen, reviewed, costs.passed * stolen + costs.abandoned * turnover, turnover

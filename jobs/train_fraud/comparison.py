"""Champion and shadow on the same payments: how their scores differ, and which of them is better (ROL-11).

What decisions say is known at once; which of the two is better only of payments whose labels came.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import msgspec
import numpy as np

from jobs.train_fraud import quality
from jobs.train_fraud.examples import Bools
from jobs.train_fraud.quality import Doubles
from schemas.control import Policy
from schemas.errors import InputError
from schemas.online_scores import OnlineScore
from serving.policy import by_score

# Two numbers a payment are kept.
MOST_PAYMENTS = 20_000_000


class Decided(msgspec.Struct):
    """What is read of a decision."""

    score: float
    model: str = ""
    segment: str = ""
    repeat: bool = False
    timings_us: dict[str, int] = {}
    online: dict[str, OnlineScore] = {}
    champion_score: float | None = None


class Labelled(msgspec.Struct):
    """What is read of a labelled example."""

    task: str
    example_id: str
    event_time_ms: int
    label: float
    score: float = 0.0
    model: str = ""
    weight: float = 1.0
    shadows: dict[str, float] = {}


class Differences(msgspec.Struct, frozen=True):
    """How the scores of `payments` differ, absolutely; `otherwise` is the share that would be decided otherwise.

    The times are means over payments, in microseconds of the batch that a payment was in.
    """

    payments: int
    mean: float
    p99: float
    otherwise: float
    champion_us: float
    shadow_us: float


class Figures(msgspec.Struct, frozen=True):
    """How well one of them ranks the labelled payments."""

    average_precision: float
    recall_at_1pct_fpr: float
    roc_auc: float


class Labels(msgspec.Struct, frozen=True):
    """What labels say of both; no figures where there are no frauds, or no good payments."""

    payments: int
    frauds: int
    champion: Figures | None = None
    shadow: Figures | None = None


def differences(decisions: Iterable[Decided], champion: str, shadow: str, policy: Policy) -> Differences | None:
    """How the shadow differs from the champion where both said something; None where they never did.

    Both are labels, `name@version`. Raises InputError beyond MOST_PAYMENTS.
    """
    own, other = array("d"), array("d")
    otherwise = champion_us = shadow_us = 0
    for decision in decisions:
        said = decision.online.get(shadow)
        if said is None or decision.model != champion or decision.repeat:
            continue
        if len(own) == MOST_PAYMENTS:
            raise InputError(f"more than {MOST_PAYMENTS:,} payments to compare; give a shorter --since")
        # Where online models have a part in the score, the champion's own word is beside it.
        alone = decision.score if decision.champion_score is None else decision.champion_score
        own.append(alone)
        other.append(said.score)
        thresholds = policy.of(decision.segment)
        otherwise += by_score(alone, thresholds) != by_score(said.score, thresholds)
        champion_us += decision.timings_us.get("model", 0)
        shadow_us += decision.timings_us.get("shadow", 0)
    if not own:
        return None
    apart = np.abs(np.array(own) - np.array(other))
    count = len(own)
    return Differences(
        count,
        float(apart.mean()),
        float(np.quantile(apart, 0.99)),
        otherwise / count,
        champion_us / count,
        shadow_us / count,
    )


def labels(examples: Iterable[Labelled], champion: str, shadow: str) -> Labels:
    """How well both rank the payments that both scored; of the labels of a payment the newest counts."""
    newest: dict[str, Labelled] = {}
    for example in examples:
        if example.model != champion or shadow not in example.shadows:
            continue
        if len(newest) == MOST_PAYMENTS:
            raise InputError(f"more than {MOST_PAYMENTS:,} payments to compare; give a shorter --since")
        before = newest.get(example.example_id)
        if before is None or before.event_time_ms <= example.event_time_ms:
            newest[example.example_id] = example
    known = list(newest.values())
    frauds = np.array([one.label > 0 for one in known], np.bool_)
    positives = int(frauds.sum())
    if not 0 < positives < len(known):
        return Labels(len(known), positives)
    weights = np.array([one.weight for one in known])
    own, other = np.array([one.score for one in known]), np.array([one.shadows[shadow] for one in known])
    return Labels(len(known), positives, _figures(frauds, own, weights), _figures(frauds, other, weights))


def _figures(frauds: Bools, scores: Doubles, weights: Doubles) -> Figures:
    return Figures(
        quality.average_precision(frauds, scores, weights),
        quality.recall_at_fpr(frauds, scores, weights=weights),
        quality.roc_auc(frauds, scores, weights),
    )

"""From shadow to champion by policy (ROL-5): after some hours, unless labels speak against it.

Only a version that the policy made the shadow: what somebody put there is theirs to promote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from infra import promotion
from infra.force import Force
from infra.promotion import Expected, Send
from jobs.train_fraud.comparison import Labels
from jobs.train_fraud.train import NAME
from schemas.errors import GateError
from schemas.models import Promotion
from schemas.settings import Retrain
from serving import gate
from serving.registry import PRODUCTION, Registry

# How the note of what the policy did begins.
BY_POLICY = "by policy"
# Fewer frauds tell chance from a loss of some percent even less.
LEAST_FRAUDS = 30

# What labels say of champion and shadow, given as labels, of payments since a time.
Judged = Callable[[str, str, int], Labels]


@dataclass(frozen=True)
class Tried:
    """What became of the shadow; `why` in words."""

    version: str
    promoted: bool
    why: str


def taken(registry: Registry) -> str:
    """Why the policy can not make a shadow: somebody did. Empty when it can."""
    entered = registry.entered_shadow(NAME)
    if entered is None or entered.note.startswith(BY_POLICY):
        return ""
    return f"{NAME}@{entered.version} was made the shadow by {entered.author}"


def promote_due(
    registry: Registry, send: Send, policy: Retrain, judged: Judged, *, author: str, now_ms: int, dry_run: bool = False
) -> Tried | None:
    """Promote the policy's shadow when it is time; None when there is nothing to do by policy.

    Raises what `promotion.promote` raises, but for the gate, whose words are told.
    """
    entered, champion = registry.entered_shadow(NAME), registry.champion(NAME)
    if policy.promotion != "automatic" or entered is None or not entered.note.startswith(BY_POLICY):
        return None
    version = entered.version
    hours = promotion.shadow_hours(registry, NAME, version, now_ms) or 0.0
    if hours < policy.least_shadow_hours:
        return Tried(version, False, f"the shadow for {hours:.1f} h of {policy.least_shadow_hours:g} h")
    if champion is not None:
        against = _against(judged(f"{NAME}@{champion}", f"{NAME}@{version}", entered.at_ms))
        if against:
            return Tried(version, False, against)
    why = f"the shadow for {hours:.1f} h"
    if dry_run:
        return Tried(version, False, f"{why}; without --dry-run the gate is asked")
    wanted = Promotion(version, PRODUCTION, now_ms, author, f"{BY_POLICY}: {why}")
    try:
        promotion.promote(registry, send, NAME, wanted, Force(), Expected(champion))
    except GateError as error:
        return Tried(version, False, str(error))
    return Tried(version, True, why)


def _against(labels: Labels) -> str:
    """What labels have against the shadow; empty while they say too little."""
    if labels.champion is None or labels.shadow is None or labels.frauds < LEAST_FRAUDS:
        return ""
    judgement = gate.judge_ranking(labels.shadow, labels.champion)
    if judgement.answer != "refuse":
        return ""
    return f"worse than the champion on {labels.payments:,} labelled payments: {judgement.reason}"

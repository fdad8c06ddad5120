"""What each online model weighs beside the champion: by hand, or by how both did on the newest examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.control import OnlineModel
from schemas.snapshots import UNPOOLED

# What a learner's snapshot says of the newest labelled examples: the part in the pool with the champion that would have
# ranked them best, with what both said before the labels were known.
RECENT_PART = "recent_part"
# The champion's part is 0.6 where nothing was measured yet (ENS-2).
UNMEASURED = 0.4 / 0.6
# What a champion without a part still weighs: it is divided by.
LEAST = 0.001
# What weighs less has no part: such a number can not be divided by.
NOTHING = 1e-9


def weights(models: Sequence[tuple[OnlineModel, float]], *, champion: bool) -> list[float]:
    """The part of each model in the common score, by its record and its performance; the rest is the champion's.

    A champion among them shares the score with other such alone. Fixed weights are taken as they are, down to a sum of
    1; what they leave is shared by the champion, who counts 1, and the others by their performance. Where there is no
    champion the weights make 1.
    """
    crowned = sum(model.mode == "champion" for model, _ in models)
    if crowned:
        return [1 / crowned if model.mode == "champion" else 0.0 for model, _ in models]
    fixed = [model.weight or 0.0 if model.mode == "member" else 0.0 for model, _ in models]
    scale = max(1.0, sum(fixed))
    fixed = [weight / scale for weight in fixed]
    rated = [worth if _is_rated(model) and worth > NOTHING else 0.0 for model, worth in models]
    left = (1 - sum(fixed)) / ((1.0 if champion else 0.0) + sum(rated) or 1.0)
    found = [one + left * by for one, by in zip(fixed, rated, strict=True)]
    total = sum(found)
    return found if champion or total == 0 else [weight / total for weight in found]


def performance(kind: str, metrics: Mapping[str, float]) -> float:
    """What a learner weighs against a champion's 1, by its snapshot's kind and metrics.

    What is no probability has no part that could be measured: it weighs nothing, but by hand.
    """
    if kind in UNPOOLED:
        return 0.0
    part = metrics.get(RECENT_PART)
    return UNMEASURED if part is None else part / max(1 - part, LEAST)


def _is_rated(model: OnlineModel) -> bool:
    return model.mode == "member" and model.weight is None

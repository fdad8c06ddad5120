"""Interest: how much an interaction says of what its user wants, by its kind and value (REC-9, REC-10)."""

from __future__ import annotations

from types import MappingProxyType

from schemas.control import KindWeight, RecommendPolicy
from schemas.events import Interaction

DEFAULT_POLICY = RecommendPolicy()
# In the order of what a shopper gives: money, an opinion, a step towards buying, a look. They hold until a policy says
# otherwise. The lower ones are unmeasured: no data set of ours has them beside the upper (DECISIONS.md).
DEFAULTS = MappingProxyType(
    {
        "purchase": KindWeight(1.0),
        "rating": KindWeight(1.0),
        "cart": KindWeight(0.7),
        "click": KindWeight(0.5),
        "view": KindWeight(0.3),
        "time_spent": KindWeight(0.3, whole=30.0),
    }
)


def interest(event: Interaction, policy: RecommendPolicy = DEFAULT_POLICY) -> float:
    """The weight, 0 for what speaks for nothing. An impression is the shop's choice, and no wish at all.

    A value of 0 is one that the producer did not state: the kind alone speaks.
    """
    if event.impression:
        return 0.0
    kind = policy.kinds.get(event.kind) or DEFAULTS[event.kind]
    if event.value == 0:
        return kind.weight
    if kind.least is not None and event.value < kind.least:
        return 0.0
    if kind.whole is None:
        return kind.weight
    return kind.weight * min(max(event.value / kind.whole, 0.0), 1.0)

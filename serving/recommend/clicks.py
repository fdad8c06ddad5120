"""Click rates that do not credit an item for its place: clicks over the attention its places got.

A place is looked at with probability 1 / log2(position + 2) (the discount of DCG); a view at a place of a list counts
as that much of a look. Looks without a click and clicks are the evidence of a Beta posterior. A cart or a purchase
with a place is none: it follows a click, and one look must not be clicked three times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.compiled import compiled

# An item nobody looked at is thought to be clicked once in twenty looks.
PRIOR_CLICKS = 1.0
PRIOR_LOOKS = 20.0
# Beyond this the evidence is halved: old looks fade, and the posterior never closes.
MOST_LOOKS = 1000.0


@compiled
def attention(position: int) -> float:
    """How likely a place of a list is looked at."""
    return float(1.0 / np.log2(position + 2.0))


@compiled
def look(clicks: NDArray[np.float32], looks: NDArray[np.float32], item: int, position: int, clicked: bool) -> None:
    """Count a view at a place, or a click there."""
    if clicked:
        clicks[item] += 1.0
    else:
        looks[item] += attention(position)
    if looks[item] > MOST_LOOKS or clicks[item] > MOST_LOOKS:
        clicks[item] *= 0.5
        looks[item] *= 0.5


@compiled
def posterior(clicks: float, looks: float) -> tuple[float, float]:
    """Alpha and beta; clicks without looks (a producer that sends no views) count as looked at."""
    return PRIOR_CLICKS + clicks, PRIOR_LOOKS - PRIOR_CLICKS + max(looks - clicks, 0.0)

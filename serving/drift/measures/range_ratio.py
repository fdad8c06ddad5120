"""How far the values of a window leave the range of the training data (ALR-8)."""

from __future__ import annotations

# Where a sign changed, or nothing small is left to divide by, the ratio is told as this.
MOST = 1e6


def range_ratio(bounds: tuple[float, float], extremes: tuple[float, float]) -> float:
    """How many times beyond a bound the window's smallest and largest value lie, 1 within both; at most MOST.

    2 is half of a positive lower bound, or twice a positive upper one; negative bounds mirror them. A bound of zero has
    no multiples: what lies beyond it is measured by the other bound. A column of zeros alone has no ratio: 1.
    """
    (low, high), (least, greatest) = bounds, extremes
    scale = max(abs(low), abs(high))
    return min(max(_below(low, least, scale), _below(-high, -greatest, scale)), MOST)


def _below(bound: float, least: float, scale: float) -> float:
    if least >= bound or scale == 0:
        return 1.0
    if bound > 0:
        return bound / least if least > bound / MOST else MOST
    return max(least / (bound or -scale), 1.0)

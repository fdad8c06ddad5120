"""Item: how popular, how new, how dear and how often clicked a candidate is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.units import DAY_MS, HOUR_MS, WEEK_MS
from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.clicks import posterior
from serving.recommend.features.group import RankFeature, Shortlist
from serving.recommend.workspace import Numbers, Scores

FEATURES: tuple[RankFeature, ...] = (
    RankFeature("popular_hour", "Interactions with half-life of an hour, log(1+x)."),
    RankFeature("popular_day", "Interactions with half-life of a day, log(1+x)."),
    RankFeature("popular_week", "Interactions with half-life of a week, log(1+x)."),
    RankFeature("popular_ever", "All interactions, log(1+x)."),
    RankFeature("rising", "popular_day less popular_week."),
    RankFeature("click_rate", "Mean of the Beta posterior of the click rate, corrected for position."),
    RankFeature("price", "Price, log(1+x)."),
    RankFeature("age_days", "Days since the item was created, log(1+x)."),
)


def compute(ask: Ask, shortlist: Shortlist, out: Scores) -> None:
    """Eight columns of the item alone."""
    items = ask.items
    _compute(
        shortlist.items,
        ask.now_ms,
        items.popularity,
        items.popular_ms,
        items.totals,
        items.clicks,
        items.looks,
        items.prices,
        items.created_ms,
        out,
    )


@compiled
def _compute(
    candidates: Numbers,
    now_ms: int,
    popularity: NDArray[np.float64],
    popular_ms: NDArray[np.int64],
    totals: NDArray[np.int64],
    clicks: Scores,
    looks: Scores,
    prices: Scores,
    created_ms: NDArray[np.int64],
    out: Scores,
) -> None:
    for row in range(len(candidates)):
        item = candidates[row]
        passed = max(now_ms - popular_ms[item], 0)
        out[row, 0] = np.log1p(popularity[item, 0] * 2.0 ** (-passed / HOUR_MS))
        out[row, 1] = np.log1p(popularity[item, 1] * 2.0 ** (-passed / DAY_MS))
        out[row, 2] = np.log1p(popularity[item, 2] * 2.0 ** (-passed / WEEK_MS))
        out[row, 3] = np.log1p(totals[item])
        out[row, 4] = out[row, 1] - out[row, 2]
        alpha, beta = posterior(clicks[item], looks[item])
        out[row, 5] = alpha / (alpha + beta)
        out[row, 6] = np.log1p(prices[item])
        out[row, 7] = np.log1p(max(now_ms - created_ms[item], 0) / DAY_MS)

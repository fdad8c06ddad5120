"""Linear: what a linear model over everything the user touched speaks for (item2item graph of REC-2)."""

from __future__ import annotations

from schemas.control import SourceShare
from serving.recommend.ask import Ask
from serving.recommend.linear import gather as sum_rows
from serving.recommend.workspace import Numbers, Scores

NAME = "linear"
SHARE = SourceShare(quota=500, weight=2.0)


def gather(ask: Ask, score: Scores, found: Numbers) -> int:
    """Sum the model's rows of what the user touched; nothing while there is no model."""
    model = ask.linear
    if model is None:
        return 0
    user, rows = ask.user, model.rows
    return sum_rows(
        user.known,
        user.known_size,
        rows.row_of,
        rows.number_of,
        model.starts,
        model.columns,
        model.weights,
        score,
        found,
    )

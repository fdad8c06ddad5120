"""One request for a list: all that sources, rules and features may look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.control import RecommendPolicy
from serving.recommend.items import Items
from serving.recommend.linear import Linear
from serving.recommend.trends import Trends
from serving.recommend.user import User
from serving.recommend.vectors import Vectors
from serving.recommend.workspace import Scores


@dataclass(frozen=True, slots=True)
class Ask:
    """For whom, when, and what is known. `vector` is the user's, zeros when there is none or no embeddings.

    A new user is one of whom so little is known that more is explored.
    """

    user: User
    now_ms: int
    segment: str
    items: Items
    trends: Trends
    linear: Linear | None
    vectors: Vectors | None
    vector: Scores
    policy: RecommendPolicy
    new_user: bool


NO_VECTOR: Scores = np.zeros(0, np.float32)


def asked(
    user: User,
    now_ms: int,
    segment: str,
    items: Items,
    trends: Trends,
    linear: Linear | None,
    vectors: Vectors | None,
    policy: RecommendPolicy,
    *,
    new_user: bool,
) -> Ask:
    """The request of a user; the rows of what was trained follow the items that came."""
    vector = NO_VECTOR
    if linear is not None:
        linear.rows.follow(items)
    if vectors is not None:
        vectors.follow(items, now_ms)
        vector = vectors.user(user, segment, now_ms)
    return Ask(user, now_ms, segment, items, trends, linear, vectors, vector, policy, new_user)

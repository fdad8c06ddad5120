"""The stratified random split: of each user's interactions, in a random order, the first share trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.events import Interaction


def stratified(
    interactions: Sequence[Interaction], share: float, seed: int
) -> tuple[list[Interaction], list[Interaction]]:
    """Both parts, in the order given. Of n interactions of a user, floor(n * share) are in the first."""
    drawn = np.random.default_rng(seed).random(len(interactions))
    by_user: dict[str, list[int]] = {}
    for place, event in enumerate(interactions):
        by_user.setdefault(event.user_id, []).append(place)
    first = np.zeros(len(interactions), np.bool_)
    for places in by_user.values():
        order = np.array(places)[np.argsort(drawn[places], kind="stable")]
        # The small number keeps 0.75 * 4 from falling below 3.
        first[order[: int(len(places) * share + 1e-9)]] = True
    return (
        [event for event, kept in zip(interactions, first, strict=True) if kept],
        [event for event, kept in zip(interactions, first, strict=True) if not kept],
    )

"""The last part of a history, held out: what a recommender must prove itself on before it is promoted.

Lists are made in order of time by the stream's step, which goes on learning; the model stays as it was trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from jobs.evaluate_recommend.prequential import FUNNEL, Result, Run, Tell
from jobs.train_recommend.parameters import Parameters
from schemas.codec import encode
from schemas.events import Interaction, Item
from schemas.recommend_models import HeldOut, NextItems
from serving.recommend.artifact import Artifact

SHARE = 0.1
# More would only take time: with so many, a hit rate of 0.2 is known to 0.004.
MOST = 10_000


def learned(interactions: Sequence[Interaction]) -> int:
    """How many interactions, in order of time, a model may learn from; those after them are held out."""
    return len(interactions) - min(int(len(interactions) * SHARE), MOST)


def measure(
    items: Sequence[Item],
    interactions: Sequence[Interaction],
    artifact: Artifact,
    rival: Artifact | None,
    parameters: Parameters,
    *,
    tell: Tell,
) -> HeldOut:
    """How a model of the `learned` interactions does on those after them, and how the rival does, if there is one."""
    first = learned(interactions)
    last = interactions[first:]
    digest = sha256()
    for event in last:
        digest.update(encode(event))

    def lists_of(model: Artifact) -> Result:
        return Run(parameters, model, tell=tell).over(items, interactions, first)

    own = lists_of(artifact)
    return HeldOut(
        last[0].event_time_ms if last else 0,
        last[-1].event_time_ms if last else 0,
        own.events,
        digest.hexdigest(),
        _next_items(own, FUNNEL),
        _next_items(own, "popular"),
        "" if rival is None else rival.label,
        None if rival is None else _next_items(lists_of(rival), FUNNEL),
    )


def _next_items(found: Result, method: str) -> NextItems:
    return NextItems(found.hit_rate[method], found.ndcg[method])

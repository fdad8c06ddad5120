"""Lists while a shop is busy: clicks at one rate after another change them, and the API is asked for them meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from infra import caught_up
from infra.bench import click_to_list, endpoint, recommender
from infra.bench.asker import Endpoint
from infra.bench.click_to_list import ClickToList
from infra.demo.steps import Tell
from jobs.names import MATERIALIZE, RECOMMEND
from schemas.recommend_models import RecommendMetrics
from schemas.settings import Settings
from serving.registry import Registry

# Behind each job at the start. The slowest rate brings so many in a tenth of a second.
FEW = 10


class AtRate(msgspec.Struct, frozen=True):
    """What clicks found at a rate, and who asked the API meanwhile."""

    clicks: ClickToList
    asked: Endpoint


class Lists(msgspec.Struct, frozen=True):
    """What was found at each rate, the lowest first. `recall_at_10` is what training found of the model's index."""

    recommender: str
    recall_at_10: float
    rates: list[AtRate]


def measure(
    settings: Settings, *, rates: Sequence[float], seconds: float, warm_up_s: float, users: int, tell: Tell
) -> Lists:
    """A shop opens, its users come once, and then some of them click. Raises OperatorError when a part is down."""
    found = []
    with click_to_list.shop(settings), recommender.in_force(settings, users, tell) as label:
        click_to_list.fill(settings, users)
        # The API begins first: what it loads and reads back at its start is no part of an answer.
        with endpoint.api(settings) as port:
            click_to_list.warm_up(settings, rate=rates[-1], seconds=warm_up_s, users=users)
            for rate in rates:
                # What waits is answered first, and a history that is behind takes the processor from what is measured.
                caught_up.require(settings, (RECOMMEND, MATERIALIZE), tell, FEW)
                with endpoint.asking(port, users=users, seconds=seconds) as client:
                    clicks = click_to_list.measure(
                        settings, rate=rate, seconds=seconds, users=users, begun=client.begin
                    )
                    found.append(AtRate(clicks, client.result()))
        name, _, version = label.partition("@")
        measured = Registry(Path(settings.registry.path)).measured(name, version, RecommendMetrics)
    return Lists(label, measured.recall_at_10, found)

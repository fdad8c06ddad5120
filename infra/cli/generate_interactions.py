"""`sluice generate interactions`"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from infra.cli import generation
from infra.cli.bounds import Finite
from infra.generator.shoppers.config import Config
from infra.generator.shoppers.stream import events
from schemas.errors import InputError
from schemas.events import Event, Interaction, Item
from schemas.settings import Settings
from schemas.units import DAY_S

# Shoppers sleep: between three and five in the morning there is a tenth of the mean.
QUIET = 0.1
KINDS: dict[str, tuple[type[Event], ...]] = {
    "both": (Item, Interaction),
    "items": (Item,),
    "interactions": (Interaction,),
}


@click.command("interactions")
@click.option("--users", type=click.IntRange(1), default=5_000, show_default=True, help="Shoppers at the start.")
@click.option("--items", type=click.IntRange(1), default=2_000, show_default=True, help="Items at the start.")
@click.option("--sessions-per-user-day", type=Finite(0), help="Sessions of a mean shopper a day.  [default: 0.5]")
@click.option(
    "--new-users", type=Finite(0), default=0.01, show_default=True, help="New shoppers a day, as a share of the first."
)
@click.option(
    "--new-items", type=Finite(0), default=0.01, show_default=True, help="New items a day, as a share of the first."
)
@click.option("--bots-per-day", type=Finite(0), default=1.0, show_default=True, help="Programs that call on a day.")
@click.option("--impressions", is_flag=True, help="Also a view, with list and position, of each item that was shown.")
@click.option(
    "--only", type=click.Choice(list(KINDS)), default="both", show_default=True, help="Which events of the stream."
)
@generation.options
@click.pass_obj
def command(
    settings: Settings,
    /,
    *,
    users: int,
    items: int,
    sessions_per_user_day: float | None,
    new_users: float,
    new_items: float,
    bots_per_day: float,
    impressions: bool,
    only: str,
    seed: int,
    **shared: Any,
) -> None:
    """Publish a generated catalogue, what shoppers do with it, and how it changes, in order of event time.

    The stream begins with the whole catalogue. --count counts interactions.
    """
    order = generation.order(**shared)
    base = Config(users=users, items=items, impressions=impressions)
    if order.people_per_s is not None:
        if sessions_per_user_day is not None:
            raise InputError("--start now with --rate sets how often shoppers come; leave out --sessions-per-user-day")
        sessions_per_user_day = order.people_per_s * DAY_S / users / base.events_per_session
    per_user_day = base.sessions_per_user_day if sessions_per_user_day is None else sessions_per_user_day
    config = Config(
        seed=seed,
        users=users,
        items=items,
        sessions_per_user_day=per_user_day,
        new_users=new_users,
        new_items=new_items,
        bots_per_day=bots_per_day,
        impressions=impressions,
        start_ms=order.start_ms(users * per_user_day * base.events_per_session, quiet=QUIET),
        days=order.days,
        count=order.count,
    )
    order.deliver(_chosen(events(config), KINDS[only]), settings)


def _chosen(stream: Iterator[Item | Interaction], kinds: tuple[type[Event], ...]) -> Iterator[Event]:
    return (event for event in stream if isinstance(event, kinds))

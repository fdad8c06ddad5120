"""The events of a bench: generated once, then sent again and again under new ids and times.

An event's id ends in its number, so whoever reads an answer knows when the event was due.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Literal

import msgspec

from infra.generator.payments.config import Config
from infra.generator.payments.stream import payments
from infra.generator.shoppers.config import Config as Shop
from infra.generator.shoppers.stream import events
from schemas.codec import encode
from schemas.events import Interaction, Item, Transaction

SEED = 23
POOL = 20_000
USERS_PER_MERCHANT = 10
ITEMS = 10_000
# Of so many shoppers one is in the shop while it is measured, and does so many things there.
SHOPPERS_PER_VISITOR, VISIT = 40, 10
# The fields that change come first in the JSON of every event.
_HEAD = re.compile(rb'\{"event_id":"[^"]*","event_time_ms":\d+')

# `small_payments` have only id, time, user, amount and merchant: the event of the reference work.
Kind = Literal["payments", "small_payments", "first_interactions", "interactions"]


class Workload:
    """Events of `users` people; number n is the same event in every process that makes an equal workload.

    `first_interactions` are one of each user, with as many of the items as a fifth of them can add; `interactions` are
    ten of each user who is in the shop, in turn.
    """

    def __init__(self, users: int, kind: Kind = "payments") -> None:
        pool = _POOLS[kind](users)
        self._users = [event.user_id for event in pool]
        self._keys = [user.encode() for user in self._users]
        self._tails = [_HEAD.sub(b"", encode(event), count=1) for event in pool]

    @property
    def distinct(self) -> int:
        """How many events there are before they come again."""
        return len(self._users)

    def user(self, number: int) -> str:
        """Whose event `number` is."""
        return self._users[number % len(self._users)]

    def record(self, run: str, number: int, time_ms: int) -> tuple[bytes, bytes]:
        """Key and JSON of event `number` of a run."""
        place = number % len(self._users)
        return self._keys[place], b'{"event_id":"%b","event_time_ms":%d%b' % (
            event_id(run, number).encode(),
            time_ms,
            self._tails[place],
        )


def event_id(run: str, number: int) -> str:
    """The id of event `number` of a run."""
    return f"{run}-{number}"


def number_of(run: str, found: str) -> int | None:
    """The number in an id of this run, None for an id of anybody else."""
    prefix, _, number = found.rpartition("-")
    return int(number) if prefix == run else None


class _Answer(msgspec.Struct):
    event_id: str


_answers = msgspec.json.Decoder(_Answer)


def answered(run: str, answer: bytes | None) -> int | None:
    """The number of the event of this run that an answer's bytes are for, None for an answer to anybody else."""
    return number_of(run, _answers.decode(answer or b"").event_id)


def catalogue(time_ms: int, *, stock: int | None = None) -> list[Item]:
    """The items that the interactions are with, as of `time_ms`; `stock` is that of each, None = never sold out."""
    found = islice(events(_shop(10)), ITEMS)
    return [
        msgspec.structs.replace(
            item,
            event_id=f"bench-{time_ms}-{number}",
            event_time_ms=time_ms,
            item_id=f"bench-{item.item_id}",
            stock=stock,
            flags=[],
        )
        for number, item in enumerate(found)
        if isinstance(item, Item)
    ]


def _payments(users: int, *, small: bool = False) -> Sequence[Transaction]:
    config = Config(
        seed=SEED,
        users=users,
        merchants=max(100, users // USERS_PER_MERCHANT),
        per_user_day=POOL / users,
        count=POOL,
        labels=False,
    )
    return [_own(payment.transaction, small) for payment in payments(config)]


def _own(transaction: Transaction, small: bool) -> Transaction:
    """The payment with ids that nobody else uses: a bench must not change what the jobs know of real customers."""
    user, merchant = f"bench-{transaction.user_id}", f"bench-{transaction.merchant_id}"
    if small:
        return Transaction(event_id="", event_time_ms=0, user_id=user, amount=transaction.amount, merchant_id=merchant)
    return msgspec.structs.replace(
        transaction,
        user_id=user,
        merchant_id=merchant,
        device_id=f"bench-{transaction.device_id}",
        card_id=f"bench-{transaction.card_id}",
    )


def acts(count: int) -> list[Interaction]:
    """The first acts in a shop of so many users; a few of them do most of it, about six each."""
    found = (event for event in events(_shop(count)) if isinstance(event, Interaction))
    return [
        # Lists of the generated shop were shown to nobody here.
        msgspec.structs.replace(
            act, user_id=f"bench-{act.user_id}", item_id=f"bench-{act.item_id}", list_id="", position=None
        )
        for act in islice(found, count)
    ]


def _first(users: int) -> Sequence[Interaction]:
    """An act of each user: all of them, where a shop as it is would show the busy ones again and again."""
    found = acts(users)
    touched: set[str] = set()
    again = []
    for place, act in enumerate(found):
        if act.item_id in touched:
            again.append(place)
        touched.add(act.item_id)
    # The items that nobody came to take the place of some that came again, spread evenly.
    missing = [item.item_id for item in catalogue(0) if item.item_id not in touched]
    missing = missing[: min(users // 5, len(again))]
    for number, item_id in enumerate(missing):
        place = again[number * len(again) // len(missing)]
        found[place] = msgspec.structs.replace(found[place], item_id=item_id)
    return [_by(shopper, act) for shopper, act in enumerate(found)]


def _visits(users: int) -> Sequence[Interaction]:
    """What the busiest of the shop do there: the first act of each, then the second."""
    of_user: dict[str, list[Interaction]] = {}
    for act in acts(users):
        of_user.setdefault(act.user_id, []).append(act)
    busiest = sorted(of_user.values(), key=len, reverse=True)[: max(1, users // SHOPPERS_PER_VISITOR)]
    return [
        _by(shopper, found[turn]) for turn in range(VISIT) for shopper, found in enumerate(busiest) if turn < len(found)
    ]


def _by(shopper: int, act: Interaction) -> Interaction:
    return msgspec.structs.replace(act, user_id=f"bench-shopper-{shopper}")


def _shop(users: int) -> Shop:
    return Shop(seed=SEED, users=users, items=ITEMS, new_items=0.0, bots_per_day=0.0)


_POOLS: dict[Kind, Callable[[int], Sequence[Transaction | Interaction]]] = {
    "payments": _payments,
    "small_payments": partial(_payments, small=True),
    "first_interactions": _first,
    "interactions": _visits,
}

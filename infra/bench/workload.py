"""The payments of a bench: generated once, then sent again and again under new ids and times.

A payment's id ends in its number, so whoever reads an answer knows when the payment was due.
"""

from __future__ import annotations

import re

import msgspec

from infra.generator.payments.config import Config
from infra.generator.payments.stream import payments
from schemas.codec import encode
from schemas.events import Transaction

SEED = 23
POOL = 20_000
USERS_PER_MERCHANT = 10
# The fields that change come first in the JSON of every event.
_HEAD = re.compile(rb'\{"event_id":"[^"]*","event_time_ms":\d+')


class Workload:
    """Payments of `users` customers; number n is the same payment in every process that makes an equal workload.

    `small` leaves only id, time, user, amount and merchant: the event of the reference work.
    """

    def __init__(self, users: int, *, small: bool = False) -> None:
        config = Config(
            seed=SEED,
            users=users,
            merchants=max(100, users // USERS_PER_MERCHANT),
            per_user_day=POOL / users,
            count=POOL,
            labels=False,
        )
        pool = [_own(payment.transaction, small) for payment in payments(config)]
        self._users = [transaction.user_id for transaction in pool]
        self._keys = [user.encode() for user in self._users]
        self._tails = [_HEAD.sub(b"", encode(transaction), count=1) for transaction in pool]

    def user(self, number: int) -> str:
        """Who pays payment `number`."""
        return self._users[number % len(self._users)]

    def record(self, run: str, number: int, time_ms: int) -> tuple[bytes, bytes]:
        """Key and JSON of payment `number` of a run."""
        place = number % len(self._users)
        return self._keys[place], b'{"event_id":"%b","event_time_ms":%d%b' % (
            event_id(run, number).encode(),
            time_ms,
            self._tails[place],
        )


def event_id(run: str, number: int) -> str:
    """The id of payment `number` of a run."""
    return f"{run}-{number}"


def number_of(run: str, found: str) -> int | None:
    """The number in an id of this run, None for an id of anybody else."""
    prefix, _, number = found.rpartition("-")
    return int(number) if prefix == run else None


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

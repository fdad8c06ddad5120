"""The demo's customers: a day of ordinary payments that forms their habits, then a minute that is watched.

In that minute they pay some hundred times as often as people do, or there would be nothing to see. So the first
model, too, learns from such minutes: hours at an ordinary pace, a busy stretch, the labels, a busy stretch to judge by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import merge
from typing import TypeVar

import msgspec

from infra.generator.payments.config import Config
from infra.generator.payments.stream import Payment, events, payments
from schemas.events import Event
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

E = TypeVar("E", bound=Event)

SEED = 11
TRAINING_SEED = 7
# One payment of a customer in 200 s: more, and everybody would look like a thief in a hurry.
CUSTOMERS_PER_RATE = 200
# Enough to know a home, a device and a card; more would only take longer.
ORDINARY_PER_DAY = 1.5
TRAINING_RATE = 100.0
TRAIN_MINUTES, CALIBRATE_MINUTES, VALIDATE_MINUTES = 6, 2, 2
LABEL_DELAY_MS = 30 * HOUR_MS
FRAUD_SHARE = Config.fraud_share


def customers(rate: float) -> int:
    """How many customers make that many payments a second."""
    return max(100, round(CUSTOMERS_PER_RATE * rate))


def history(rate: float, from_ms: int, to_ms: int) -> Iterator[Event]:
    """What the customers paid before, at an ordinary pace, and the labels that are known of it."""
    number = customers(rate)
    return (_own(event, number) for event in events(_ordinary(SEED, rate, from_ms, to_ms)))


def minute(
    rate: float, seconds: float, from_ms: int, patterns: tuple[str, ...] = (), fraud_share: float = FRAUD_SHARE
) -> list[Payment]:
    """The payments that are watched, `rate` a second on the whole, each with the truth about it.

    By night customers pay less: then their payments are taken from a longer stretch and move closer together.
    """
    config = replace(
        _busy(SEED, rate, from_ms, None, count=round(rate * seconds)), patterns=patterns, fraud_share=fraud_share
    )
    drawn = list(payments(config))
    span_ms = drawn[-1].transaction.event_time_ms + 1 - from_ms
    return [
        Payment(msgspec.structs.replace(_own(transaction, config.users), event_time_ms=from_ms + offset_ms), pattern)
        for transaction, pattern in drawn
        for offset_ms in (round((transaction.event_time_ms - from_ms) * seconds * 1000 / span_ms),)
    ]


@dataclass(frozen=True)
class TrainingDays:
    """When the parts of the training history begin and end, in ms, counted back from `now_ms`."""

    now_ms: int

    @property
    def validate_from_ms(self) -> int:
        """A busy stretch just now, to judge the model by."""
        return self.now_ms - VALIDATE_MINUTES * MINUTE_MS

    @property
    def train_from_ms(self) -> int:
        """A busy stretch, long enough ago for its labels to be known."""
        return self.validate_from_ms - LABEL_DELAY_MS - (TRAIN_MINUTES + CALIBRATE_MINUTES) * MINUTE_MS

    @property
    def train_to_ms(self) -> int:
        """The end of what trees are grown on; the calibration follows."""
        return self.train_from_ms + TRAIN_MINUTES * MINUTE_MS

    @property
    def calibrated_to_ms(self) -> int:
        """The end of the first busy stretch."""
        return self.train_to_ms + CALIBRATE_MINUTES * MINUTE_MS

    def events(self) -> Iterator[Event]:
        """Transactions and labels of a world of its own, in the order in which they become known."""
        first, last = self.train_from_ms, self.validate_from_ms
        busy_days = (self.calibrated_to_ms - first) / DAY_MS
        return merge(
            events(_ordinary(TRAINING_SEED, TRAINING_RATE, first - DAY_MS, first)),
            events(_busy(TRAINING_SEED, TRAINING_RATE, first, busy_days)),
            events(_busy(TRAINING_SEED, TRAINING_RATE, last, VALIDATE_MINUTES * MINUTE_MS / DAY_MS)),
            key=lambda event: event.event_time_ms,
        )


def _own(event: E, number: int) -> E:
    """The event with ids of this world alone: in a world of another size, the same customer lives elsewhere."""
    ids = {name: getattr(event, name, None) for name in ("user_id", "merchant_id", "device_id", "card_id")}
    return msgspec.structs.replace(event, **{name: f"d{number}-{own}" for name, own in ids.items() if own is not None})


def _ordinary(seed: int, rate: float, from_ms: int, to_ms: int) -> Config:
    return _world(seed, rate, ORDINARY_PER_DAY, from_ms, (to_ms - from_ms) / DAY_MS)


def _busy(seed: int, rate: float, from_ms: int, days: float | None, count: int | None = None) -> Config:
    return _world(seed, rate, rate * 86_400 / customers(rate), from_ms, days, count, drain_labels=True)


def _world(
    seed: int,
    rate: float,
    per_user_day: float,
    from_ms: int,
    days: float | None,
    count: int | None = None,
    *,
    drain_labels: bool = False,
) -> Config:
    number = customers(rate)
    return Config(
        seed=seed,
        users=number,
        merchants=number,
        per_user_day=per_user_day,
        start_ms=from_ms,
        days=days,
        count=count,
        drain_labels=drain_labels,
        # Within a day, so that the first busy stretch is known when the model is judged.
        chargeback_min_days=0.1,
        chargeback_max_days=1.0,
    )

"""Payments that can be decided in only one way, whatever is killed, and the garbage between them.

The order of the log is fixed within a partition only. So every merchant, device and card is visited by users of one
partition alone, and labels come from users who pay nothing: no answer depends on how partitions interleave.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from chaos_garbage import garbage

from infra import publish
from schemas.events import Label, Transaction
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

PARTITIONS = 4
USERS, MERCHANTS, DEVICES, CARDS = 100, 25, 80, 120  # of each partition
BEGIN_MS = 1_750_000_000_000
STEP_MS = 2_500
DISORDER, LATE, REPEATS, GARBAGE = 0.03, 0.004, 0.005, 0.01
PLACES = ((48.21, 16.37), (52.52, 13.40), (40.71, -74.01), (-33.87, 151.21))


@dataclass(frozen=True)
class Traffic:
    """`past` is to be read by the job before the first record of `stream` is sent; `bad` are the records of it all
    that no job can read; `valid` are the ids of the payments."""

    past: list[publish.Record]
    stream: list[publish.Record]
    bad: list[publish.Record]
    valid: set[str]


def traffic(count: int, seed: int) -> Traffic:
    """`count` different payments with disorder, late ones, repeats, labels and one in a hundred bad."""
    rng = random.Random(seed)
    shoppers = _shoppers(rng)
    past = list(publish.records(_label(f"past-{n}", BEGIN_MS - rng.randrange(7, 30) * DAY_MS, n) for n in range(200)))
    events: list[Transaction | Label] = []
    bad: list[publish.Record] = []
    stream: list[publish.Record] = []
    recent: list[Transaction] = []
    for number in range(count):
        tx = _payment(rng, number, shoppers[rng.randrange(len(shoppers))])
        recent = [*recent[-9:], tx]
        events = [tx]
        if rng.random() < REPEATS:
            events.append(rng.choice(recent))
        # A fraud of today is in no window of today, but in the merchant's state; late ones would miss its last update.
        if number % 500 == 0 and number < count // 2:
            events.append(_label(f"today-{number}", tx.event_time_ms, number // 500))
        stream += publish.records(events)
        if rng.random() < GARBAGE:
            bad.append(garbage(len(bad), tx))
            stream.append(bad[-1])
    return Traffic(past, stream, bad, {f"tx-{number}" for number in range(count)})


@dataclass(frozen=True)
class _Shopper:
    user_id: str
    partition: int
    devices: list[str]
    cards: list[str]


def _shoppers(rng: random.Random) -> list[_Shopper]:
    found: list[_Shopper] = []
    room = dict.fromkeys(range(PARTITIONS), USERS)
    number = 0
    while any(room.values()):
        user_id = f"user-{number}"
        home = partition(user_id.encode())
        number += 1
        if room[home]:
            room[home] -= 1
            devices = [f"device-{home}-{rng.randrange(DEVICES)}" for _ in range(2)]
            cards = [f"card-{home}-{rng.randrange(CARDS)}" for _ in range(2)]
            found.append(_Shopper(user_id, home, devices, cards))
    return found


def _payment(rng: random.Random, number: int, shopper: _Shopper) -> Transaction:
    time_ms = BEGIN_MS + number * STEP_MS + rng.randrange(1000)
    drawn = rng.random()
    if drawn < LATE:
        time_ms -= rng.randrange(2 * HOUR_MS, 9 * HOUR_MS)
    elif drawn < LATE + DISORDER:
        time_ms -= rng.randrange(1, 40 * MINUTE_MS)
    lat, lon = rng.choice(PLACES)
    return Transaction(
        event_id=f"tx-{number}",
        event_time_ms=time_ms,
        user_id=shopper.user_id,
        amount=round(rng.lognormvariate(3.5, 1.2), 2),
        merchant_id=f"merchant-{shopper.partition}-{rng.randrange(MERCHANTS)}",
        merchant_country=rng.choice((None, "AT", "US")),
        lat=lat if rng.random() < 0.8 else None,
        lon=lon,
        device_id=rng.choice((None, *shopper.devices)),
        card_id=rng.choice((None, *shopper.cards)),
        segment=rng.choice(("", "vip")),
    )


def _label(label_id: str, transaction_time_ms: int, number: int) -> Label:
    return Label(
        event_id=label_id,
        event_time_ms=transaction_time_ms + HOUR_MS,
        user_id=f"complainant-{number}",
        transaction_id=f"complaint-{label_id}",
        transaction_time_ms=transaction_time_ms,
        merchant_id=f"merchant-{number % PARTITIONS}-{number // PARTITIONS % MERCHANTS}",
        is_fraud=number % 5 > 0,
    )


def partition(key: bytes) -> int:
    """Where Kafka's own partitioner puts the key: murmur2 of its bytes."""
    factor, mask = 0x5BD1E995, 0xFFFFFFFF
    mixed = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for place in range(0, whole, 4):
        word = int.from_bytes(key[place : place + 4], "little") * factor & mask
        word = (word ^ word >> 24) * factor & mask
        mixed = mixed * factor & mask ^ word
    if key[whole:]:
        mixed = (mixed ^ int.from_bytes(key[whole:], "little")) * factor & mask
    mixed = (mixed ^ mixed >> 13) * factor & mask
    return ((mixed ^ mixed >> 15) & 0x7FFFFFFF) % PARTITIONS


def record_id(record: publish.Record) -> tuple[str, bytes | None, bytes]:
    """What tells bad records apart."""
    return record.topic, record.key, record.value

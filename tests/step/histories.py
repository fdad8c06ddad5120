"""Random histories: few users, merchants, devices and cards, so that they meet; ties, disorder, gaps, repeats, junk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st
from reference import DAY, HOUR, MINUTE, SECOND

from schemas import codec
from schemas.events import Label, Transaction
from schemas.topics import LABELS, TRANSACTIONS
from serving.inflight import Record

NOON_MS = 1_750_000_000_000 // DAY * DAY + 12 * HOUR
STARTS_MS = (0, DAY - 1, NOON_MS)

# How far time moves between two records, and how far behind it a payment may be. Both sides of every bound.
STEPS_MS = (0, 0, 1, 250, 20 * SECOND, MINUTE, *(m * MINUTE + d for m in (5, 30) for d in (-1, 0, 1)))
STEPS_MS += (HOUR - 1, HOUR, HOUR + 1, 7 * HOUR, DAY - 1, DAY, DAY + 1, DAY + HOUR, 3 * DAY, 8 * DAY)
GAPS_MS = (23 * DAY, 31 * DAY, 32 * DAY, 40 * DAY, 49 * DAY, 51 * DAY, 700 * DAY)
BEHIND_MS = (1, 3 * SECOND, 5 * MINUTE, 30 * MINUTE, HOUR - 1, HOUR, HOUR + 1)
TOO_LATE_MS = (2 * HOUR, DAY, DAY + HOUR, 26 * HOUR, 9 * DAY, 33 * DAY)
AHEAD_MS = (1, 5 * MINUTE, 5 * MINUTE + 1, DAY)

AMOUNTS = (0.0, 0.01, 4.99, 5.0, 5.01, 12.34, 250.0, 999.99, 1000.0, 1000.01, 20_000.5)
# Vienna, Berlin (520 km), New York, Sydney.
PLACES = ((48.21, 16.37), (52.52, 13.40), (40.71, -74.01), (-33.87, 151.21))

JUNK: tuple[tuple[bytes | None, str], ...] = (
    (None, "unreadable"),
    (b"", "unreadable"),
    (b"{", "unreadable"),
    (b"\0\xff\x00", "unreadable"),
    (b'{"event_id":"e","event_time_ms":1}', "invalid"),
    (b"[" * 100_000, "invalid"),
    (b'{"event_id":7,"x":' + b"[" * 100_000, "invalid"),
    (b'"' + b"x" * 1_000_000 + b'"', "too_large"),
    (b'{"event_id":"e","schema_version":7,"event_time_ms":"new"}', "unknown_version"),
)


@dataclass(frozen=True)
class Step:
    """A record, and what its bytes say: an event, or the reason why they say nothing."""

    record: Record
    event: Transaction | Label | str


def transaction_record(tx: Transaction, offset: int, arrival_ms: int, key: str | None = None) -> Record:
    return Record(TRANSACTIONS.name, 0, offset, arrival_ms, (key or tx.user_id).encode(), codec.encode(tx))


def label_record(label: Label, offset: int, arrival_ms: int) -> Record:
    return Record(LABELS.name, 0, offset, arrival_ms, label.user_id.encode(), codec.encode(label))


def payments() -> st.SearchStrategy[dict[str, Any]]:
    """Everything of a payment but its time and id."""
    place = st.one_of(st.just((None, None)), st.sampled_from(PLACES))
    return st.builds(
        lambda place, **rest: rest | {"lat": place[0], "lon": place[1]},
        place=place,
        user_id=st.sampled_from(("ann", "bob", "cleo")),
        merchant_id=st.sampled_from(("m1", "m2", "m3", "m4", "ann")),
        amount=st.one_of(st.sampled_from(AMOUNTS), st.integers(0, 300_000).map(lambda cents: cents / 100)),
        device_id=st.sampled_from((None, "d1", "d2", "d3")),
        card_id=st.sampled_from((None, "c1", "c2")),
        merchant_country=st.sampled_from((None, "AT", "DE", "US")),
        utc_offset_min=st.sampled_from((0, 60, -300, 345, -840, 840)),
        segment=st.sampled_from(("", "vip")),
    )


@st.composite
def histories(draw: st.DrawFn, max_size: int = 45) -> list[Step]:
    """Records in the order of their arrival."""
    now = draw(st.sampled_from(STARTS_MS))
    steps: list[Step] = []
    paid: list[tuple[Transaction, Record]] = []
    told: list[Label] = []
    moves = st.one_of(st.sampled_from(STEPS_MS), st.sampled_from(STEPS_MS), st.sampled_from(GAPS_MS))
    kinds = st.sampled_from(
        ("pay",) * 8
        + ("behind",) * 3
        + ("too_late", "ahead", "again", "junk", "key")
        + ("label",) * 3
        + ("relabel",) * 2
    )
    for offset in range(draw(st.integers(1, max_size))):
        now += draw(moves)
        kind = draw(kinds)
        if kind == "junk":
            raw, reason = draw(st.sampled_from(JUNK))
            steps.append(Step(Record(TRANSACTIONS.name, 0, offset, now, b"ann", raw), reason))
            continue
        if kind == "relabel" and told:
            # The same label again, another word at its very time, or a later word on the same payment.
            label = draw(st.sampled_from(told[-6:]))
            known_ms = draw(st.sampled_from((label.event_time_ms, label.event_time_ms, now)))
            label = msgspec.structs.replace(label, event_time_ms=known_ms, is_fraud=draw(st.booleans()))
            steps.append(Step(label_record(label, offset, now), label))
            continue
        if kind in {"again", "label"} and paid:
            tx, record = draw(st.sampled_from(paid[-20:]))
            if kind == "again":
                steps.append(
                    Step(msgspec.structs.replace(record, offset=offset, arrival_ms=max(now, tx.event_time_ms)), tx)
                )
                continue
            label = Label(
                event_id=f"l{offset}",
                event_time_ms=now,
                user_id=tx.user_id,
                transaction_id=tx.event_id,
                transaction_time_ms=tx.event_time_ms,
                merchant_id=draw(st.sampled_from((tx.merchant_id, tx.merchant_id, None))),
                is_fraud=draw(st.booleans()),
            )
            steps.append(Step(label_record(label, offset, now), label))
            told.append(label)
            continue
        time = now
        if kind == "behind":
            time -= draw(st.sampled_from(BEHIND_MS))
        elif kind == "too_late":
            time -= draw(st.sampled_from(TOO_LATE_MS))
        elif kind == "ahead":
            time += draw(st.sampled_from(AHEAD_MS))
        tx = Transaction(event_id=f"e{offset}", event_time_ms=max(time, 0), **draw(payments()))
        key = "somebody" if kind == "key" else tx.user_id
        record = transaction_record(tx, offset, now, key)
        steps.append(Step(record, tx))
        paid.append((tx, record))
    return steps


@st.composite
def labelled(draw: st.DrawFn) -> list[Step]:
    """Some payments, many labels about them and about others, in any order, and then a payment that sees the result."""
    users, merchants = st.sampled_from(("ann", "bob")), st.sampled_from(("m1", "m2"))
    steps: list[Step] = []
    paid: list[Transaction] = []
    for number in range(draw(st.integers(1, 6))):
        at_ms = NOON_MS + number * draw(st.sampled_from((MINUTE, HOUR)))
        tx = Transaction(
            event_id=f"e{number}", event_time_ms=at_ms, user_id=draw(users), amount=1.0, merchant_id=draw(merchants)
        )
        paid.append(tx)
        steps.append(Step(transaction_record(tx, len(steps), at_ms), tx))
    now = NOON_MS + DAY
    for number in range(draw(st.integers(1, 15))):
        tx = draw(st.sampled_from(paid))
        label = Label(
            event_id=f"l{number}",
            event_time_ms=now + draw(st.integers(0, 3)) * HOUR,
            user_id=tx.user_id,
            transaction_id=tx.event_id,
            transaction_time_ms=tx.event_time_ms + draw(st.sampled_from((0, 0, HOUR))),
            merchant_id=draw(st.sampled_from((tx.merchant_id, tx.merchant_id, "m1", None))),
            is_fraud=draw(st.booleans()),
        )
        steps.append(Step(label_record(label, len(steps), now + DAY), label))
    for merchant in ("m1", "m2"):
        tx = Transaction(
            event_id=f"after-{merchant}", event_time_ms=now + 8 * DAY, user_id="cleo", amount=1.0, merchant_id=merchant
        )
        steps.append(Step(transaction_record(tx, len(steps), tx.event_time_ms), tx))
    return steps

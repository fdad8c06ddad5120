"""Records that no job can read, each bad in one way."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from infra.publish import Record
from schemas.codec import encode
from schemas.events import Transaction
from schemas.topics import LABELS, TRANSACTIONS

MEBIBYTE = 2**20


def garbage(number: int, tx: Transaction) -> Record:
    """The bad record of that number, made of a good payment; the ways to be bad take turns."""
    tx = msgspec.structs.replace(tx, event_id=f"bad-{number}")
    key = tx.user_id.encode()
    whole = encode(tx)
    ways: tuple[Record, ...] = (
        Record(TRANSACTIONS.name, key, whole[: len(whole) // 2]),
        Record(TRANSACTIONS.name, key, _with(tx, amount="12.50")),
        Record(TRANSACTIONS.name, key, _with(tx, user_id=[tx.user_id])),
        Record(TRANSACTIONS.name, key, _with(tx, category="x" * MEBIBYTE)),
        Record(TRANSACTIONS.name, key, b"\0" * 16 + str(number).encode()),
        Record(TRANSACTIONS.name, key, _with(tx, merchant_id="m\0")),
        Record(TRANSACTIONS.name, key, whole.replace(b'"merchant', b'"\0merchant', 1)),
        Record(TRANSACTIONS.name, key, _with(tx, amount=float("nan"))),
        Record(TRANSACTIONS.name, key, _with(tx, amount=float("-inf"))),
        Record(TRANSACTIONS.name, key, _with(tx, amount=1e300)),
        Record(TRANSACTIONS.name, key, _with(tx, event_time_ms=10**40)),
        Record(TRANSACTIONS.name, key, _with(tx, amount=0).replace(b'"amount": 0', b'"amount": 1e999')),
        Record(TRANSACTIONS.name, b"somebody-else", whole),
        Record(TRANSACTIONS.name, key + b"\xff\0", whole),
        Record(TRANSACTIONS.name, None, whole),
        Record(TRANSACTIONS.name, key, _with(tx, schema_version=9, amount={"minor": 1250})),
        Record(TRANSACTIONS.name, key, _with(tx, event_time_ms=4_000_000_000_000)),
        Record(TRANSACTIONS.name, key, b""),
        Record(TRANSACTIONS.name, key, b"[" * 100_000),
        Record(TRANSACTIONS.name, key, b"\xc3\x28" + whole),
        Record(LABELS.name, key, whole[: len(whole) // 3]),
        Record(LABELS.name, None, b'{"event_id":"l","event_time_ms":"yesterday"}'),
    )
    return ways[number % len(ways)]


def _with(tx: Transaction, **other: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(tx) | other).encode()

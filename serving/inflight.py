"""What travels between the stages of one job: small MessagePack arrays, never seen outside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec

from schemas.events import Transaction


class Record(msgspec.Struct, array_like=True, gc=False):
    """A record as the broker holds it. `arrival_ms` is the broker's time stamp."""

    topic: str
    partition: int
    offset: int
    arrival_ms: int
    key: bytes | None
    value: bytes | None


# Where a record stands, as one number: (offset * PARTITIONS + partition) * SOURCES + the number of its topic. One
# number crosses from Java to Python at the price that each of three would have. Offsets may reach 2**47.
PARTITIONS = 4096
SOURCES = 16


def records(
    topics: Sequence[str],
    places: Iterable[int],
    arrivals_ms: Iterable[int],
    keys: Iterable[bytes | None],
    values: Iterable[bytes | None],
) -> list[Record]:
    """Records from their columns; `topics` are what the numbers of topics stand for."""
    made = []
    for place, arrival_ms, key, value in zip(places, arrivals_ms, keys, values, strict=True):
        offset, rest = divmod(place, PARTITIONS * SOURCES)
        made.append(Record(topics[rest % SOURCES], rest // SOURCES, offset, arrival_ms, key, value))
    return made


class Payment(msgspec.Struct, array_like=True, tag=0, gc=False):
    """A valid transaction on its way through the entity stages.

    `raw` is the transaction's JSON; `values` the feature values so far, float64, in catalogue order; `timings_us` the
    duration of each stage so far. `read` is what `raw` says, where nobody has packed it since.
    """

    raw: bytes
    event_id: str
    user_id: str
    merchant_id: str
    device_id: str | None
    card_id: str | None
    time_ms: int
    amount: float
    lateness_ms: int
    late: bool
    repeat: bool
    partition: int
    offset: int
    arrival_ms: int
    values: bytes = b""
    timings_us: list[int] = []
    read: Transaction | None = None

    @property
    def transaction(self) -> Transaction:
        """What `raw` says."""
        return self.read or _transaction.decode(self.raw)

    @property
    def route(self) -> str:
        """The id that the last stage is keyed by."""
        return self.card_id or self.user_id

    def entity_id(self, kind: str) -> str | None:
        """The id of that entity, None when the transaction does not give one."""
        if kind == "merchant":
            return self.merchant_id
        if kind == "device":
            return self.device_id
        return self.card_id if kind == "card" else self.user_id


class Verdict(msgspec.Struct, array_like=True, tag=1, gc=False):
    """A known fraud on its way to the merchant where it was paid, at `time_ms`; `event_id` is the label's.

    With `is_fraud` false it was counted there and is none.
    """

    merchant_id: str
    user_id: str
    time_ms: int
    event_id: str
    is_fraud: bool = True


class Output(msgspec.Struct, array_like=True, tag=2, gc=False):
    """A finished record for a topic; the stages after the one that made it hand it on."""

    topic: str
    key: bytes | None
    value: bytes


Message = Payment | Verdict | Output

_transaction = msgspec.json.Decoder(Transaction)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Message])


def pack(messages: list[Message]) -> bytes:
    """Messages as bytes that `unpack` reads."""
    for message in messages:
        if isinstance(message, Payment):
            # Its JSON travels already.
            message.read = None
    return _encoder.encode(messages)


def unpack(raw: bytes) -> list[Message]:
    """The messages of `pack`."""
    return _decoder.decode(raw)


def bucket(key: str, buckets: int) -> int:
    """The bucket of an entity id: the same in every process, and part of the state's layout."""
    return crc32(key.encode()) % buckets

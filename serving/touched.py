"""What a batch did to the entities of one kind: kept as state, told to the stores."""

from __future__ import annotations

from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas import codec
from schemas.topics import FEATURE_UPDATES
from serving.entity_cache import Entities
from serving.features.catalogue import FEATURE_SET
from serving.inflight import Output, Payment
from serving.outgoing import OutgoingFeatures, OutgoingUpdate, json_rows

# Updates of one entity share a record key, and so keep their order; the number is part of no state and may change.
SHARDS = 8
# So many entities stay far below what a broker takes as one record.
MOST_ENTITIES = 100
BEFORE_PAYMENTS_MS = 0
# A late payment's features are of its own time: the newest values stay as they are.
_NO_VALUES = msgspec.Raw(b"[]")


class Touched:
    """Which entities a batch changed, and which payment's features are now the newest of each."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._rows: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self._cause = ("", 0)

    def learn(self, entity_id: str, row: int, event_id: str, time_ms: int) -> None:
        """A label changed the entity: its features stay."""
        self._rows[entity_id] = row
        self._cause = (event_id, time_ms)

    def pay(self, entity_id: str, row: int, place: int, payment: Payment, newest: bool) -> None:
        """A payment, at `place` of the batch, changed the entity."""
        self._rows[entity_id] = row
        self._cause = (payment.event_id, payment.time_ms)
        if newest:
            self._newest[entity_id] = place

    def keep(self, entities: Entities, features: NDArray[np.float64]) -> list[Output]:
        """Keep the state of all, at the end of the batch; returns the records for the stores.

        `features` are the entity's of each payment, shape (payments, features of the kind). An entity that only labels
        named is told as of BEFORE_PAYMENTS_MS: whatever its first payment tells is newer.
        """
        newest_ms = entities.table(self._kind).newest_ms(list(self._rows.values()))
        written = entities.keep(self._kind, self._rows)
        values = dict(zip(self._newest, json_rows(features[list(self._newest.values())]), strict=True))
        shards: dict[int, list[OutgoingFeatures]] = {}
        for entity_id, time_ms, writes in zip(self._rows, newest_ms, written, strict=True):
            known_ms = max(time_ms, BEFORE_PAYMENTS_MS)
            told = OutgoingFeatures(self._kind, entity_id, known_ms, values.get(entity_id, _NO_VALUES), writes)
            shards.setdefault(crc32(entity_id.encode()) % SHARDS, []).append(told)
        return [
            self._record(shard, found[first : first + MOST_ENTITIES])
            for shard, found in shards.items()
            for first in range(0, len(found), MOST_ENTITIES)
        ]

    def _record(self, shard: int, found: list[OutgoingFeatures]) -> Output:
        update = OutgoingUpdate(*self._cause, FEATURE_SET, found)
        return Output(FEATURE_UPDATES.name, b"%b/%d" % (self._kind.encode(), shard), codec.encode(update))

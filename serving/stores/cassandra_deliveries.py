"""The delivery log in Cassandra: a person's day is a partition."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas import settings
from serving.stores import cassandra_schema as schema
from serving.stores.cassandra_session import CassandraSession, Put
from serving.stores.deliveries import Delivery, check_range, order
from serving.stores.history import day_of

DAYS_A_QUERY = 32

_decoder = msgspec.json.Decoder(Delivery)


def connect(config: settings.Cassandra) -> CassandraDeliveries:
    """The log on a session that is opened by its first use."""
    return CassandraDeliveries(CassandraSession(config, (schema.PUT_DELIVERY, schema.GET_DELIVERIES)))


class CassandraDeliveries:
    """Rows that expire together after `cassandra.delivery_days`."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session

    def write_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Upserts, one a row."""
        self._session.put(map(_put, deliveries))

    def deliveries_of(self, person: str, since_ms: int, until_ms: int, limit: int) -> list[Delivery]:
        """Day by day from the newest, until the limit is reached."""
        check_range(since_ms, until_ms, limit)
        found: list[Delivery] = []
        day, oldest = day_of(until_ms - 1), day_of(max(0, since_ms))
        with self._session.translated():
            while day >= oldest and len(found) < limit:
                days = list(range(day, max(oldest, day - DAYS_A_QUERY + 1) - 1, -1))
                rows = self._session.execute(schema.GET_DELIVERIES, (person, days, since_ms, until_ms, limit))
                found += sorted((_decoder.decode(row.body) for row in rows), key=order)
                day = days[-1] - 1
        return found[:limit]

    def close(self) -> None:
        """End the session."""
        self._session.close()


def _put(delivery: Delivery) -> Put:
    body = msgspec.json.encode(delivery)
    key = (delivery.person, day_of(delivery.at_ms), delivery.at_ms)
    names = (delivery.message_id, delivery.channel, delivery.status)
    return Put(schema.PUT_DELIVERY, (*key, *names, body, delivery.at_ms * 1000), len(body))

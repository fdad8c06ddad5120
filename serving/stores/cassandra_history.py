"""The history store in Cassandra 5."""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from cassandra import ConsistencyLevel, DriverException, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.pool import NoConnectionsAvailable
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from schemas import codec, settings
from schemas.errors import StoreError
from schemas.events import Decision
from serving.stores import cassandra_schema as schema
from serving.stores.aggregate import Counted, aggregate, first_day
from serving.stores.history import DAY_MS, UserAggregates, brief, check_ids, check_range, day_of
from serving.stores.ids import id_bytes

# Cassandra refuses a batch of more than 50 KiB; a batch saves the client four fifths of its time per row.
BATCH_ROWS = 32
BATCH_BYTES = 32 * 1024
IN_FLIGHT = 16
DAYS_A_QUERY = 32
PAGE_ROWS = 2000
# A server that knows our batches no better warns of the size of each, twice, and the driver would log that each time.
logging.getLogger("cassandra.protocol").setLevel(logging.ERROR)

_decision_decoder = msgspec.json.Decoder(Decision)
_counted_decoder = msgspec.json.Decoder(Counted)
_CLIENT_ERRORS = (DriverException, NoHostAvailable, ConnectionException, NoConnectionsAvailable, OSError)


def connect(config: settings.Cassandra) -> CassandraHistory:
    """The history store; a session is opened by the first call, so a Cassandra that is down can wait."""
    return CassandraHistory(config)


def create_schema(config: settings.Cassandra) -> None:
    """Create keyspace and tables where they are missing and set their time to live; run by one process at a time.

    Raises StoreError.
    """
    with _translated(config):
        cluster = _cluster(config)
        try:
            session = cluster.connect()
            for statement in schema.ddl(config):
                session.execute(statement)
        finally:
            cluster.shutdown()


@dataclass(frozen=True)
class _Open:
    """A session and what was prepared on it."""

    cluster: Cluster
    session: Session
    put_by_id: PreparedStatement
    put_by_user: PreparedStatement
    get_by_id: PreparedStatement
    get_by_user: PreparedStatement


class CassandraHistory:
    """A HistoryStore in Cassandra; safe to share between threads."""

    def __init__(self, config: settings.Cassandra) -> None:
        self._config = config
        self._opening = threading.Lock()
        self._held: _Open | None = None

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            check_ids(decision)
        with self._session() as held:
            in_flight: deque[Any] = deque()
            for batch in _batches(held, decisions):
                if len(in_flight) == IN_FLIGHT:
                    in_flight.popleft().result()
                in_flight.append(held.session.execute_async(batch))
            for future in in_flight:
                future.result()

    def decision(self, event_id: str) -> Decision | None:
        id_bytes("event id", event_id)
        with self._session() as held:
            row = held.session.execute(held.get_by_id, (event_id,)).one()
        return None if row is None else _decision_decoder.decode(row.body)

    def decisions_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[Decision]:
        check_range(since_ms, until_ms, limit)
        found: list[Any] = []
        day, oldest = day_of(until_ms - 1), day_of(max(0, since_ms))
        # A busy user fills the limit with the first days, a quiet one is walked in doubling strides.
        stride = 1
        while day >= oldest and len(found) < limit:
            days = list(range(day, max(oldest, day - stride + 1) - 1, -1))
            rows = self._rows(user_id, days, since_ms, until_ms, limit)
            found += sorted(rows, key=lambda row: (-row.event_time_ms, row.event_id.encode()))
            day, stride = days[-1] - 1, min(stride * 2, DAYS_A_QUERY)
        return [_decision_decoder.decode(row.body) for row in found[:limit]]

    def aggregates(self, user_id: str, days: int, as_of_ms: int) -> UserAggregates:
        first, last = first_day(days, as_of_ms), day_of(as_of_ms)
        rows = (
            row
            for start in range(first, last + 1, DAYS_A_QUERY)
            for row in self._rows(
                user_id, list(range(start, min(start + DAYS_A_QUERY, last + 1))), first * DAY_MS, as_of_ms + 1
            )
        )
        return aggregate(user_id, days, as_of_ms, (_counted_decoder.decode(row.body) for row in rows))

    def check(self) -> None:
        with self._session() as held:
            held.session.execute(schema.CHECK)

    def close(self) -> None:
        with self._opening:
            if self._held is not None:
                self._held.cluster.shutdown()
                self._held = None

    def _rows(
        self, user_id: str, days: list[int], since_ms: int, until_ms: int, limit: int = 2**31 - 1
    ) -> Iterator[Any]:
        """The user's rows of those days, page by page."""
        id_bytes("user id", user_id)
        with self._session() as held:
            yield from held.session.execute(held.get_by_user, (user_id, days, since_ms, until_ms, limit))

    @contextmanager
    def _session(self) -> Iterator[_Open]:
        with _translated(self._config):
            if self._held is None:
                with self._opening:
                    self._held = self._held or _open(self._config)
            yield self._held


def _cluster(config: settings.Cassandra) -> Cluster:
    timeout_s = config.timeout_ms / 1000
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy()),
        # The label join must read what was written, whichever replica answers.
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        request_timeout=timeout_s,
    )
    return Cluster(
        config.hosts,
        port=config.port,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=timeout_s,
        control_connection_timeout=timeout_s,
        # Without it a small batch waits 40 ms for the acknowledgement of the one before.
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
    )


def _open(config: settings.Cassandra) -> _Open:
    cluster = _cluster(config)
    try:
        session = cluster.connect()
        session.default_fetch_size = PAGE_ROWS
        statements = (schema.PUT_BY_ID, schema.PUT_BY_USER, schema.GET_BY_ID, schema.GET_BY_USER)
        prepared = [session.prepare(text.format(keyspace=config.keyspace)) for text in statements]
    except InvalidRequest as error:
        cluster.shutdown()
        raise StoreError(f"Cassandra has no tables in keyspace {config.keyspace}; `sluice up` creates them") from error
    except BaseException:
        cluster.shutdown()
        raise
    for statement in prepared:
        statement.is_idempotent = True
    return _Open(cluster, session, *prepared)


def _batches(held: _Open, decisions: Sequence[Decision]) -> Iterator[BatchStatement]:
    """Unlogged batches: each row is an upsert of its own, so a batch that failed half-way is written again."""
    batch, size = BatchStatement(BatchType.UNLOGGED), 0
    for decision in decisions:
        whole, short = codec.encode(decision), codec.encode(brief(decision))
        day, timestamp_us = day_of(decision.event_time_ms), decision.event_time_ms * 1000
        key = (decision.user_id, day, decision.event_time_ms, decision.event_id)
        for statement, row, row_bytes in (
            (held.put_by_id, (decision.event_id, whole, timestamp_us), len(whole)),
            (held.put_by_user, (*key, short, timestamp_us), len(short)),
        ):
            if len(batch) and (len(batch) == BATCH_ROWS or size + row_bytes > BATCH_BYTES):
                yield batch
                batch, size = BatchStatement(BatchType.UNLOGGED), 0
            batch.add(statement, row)
            size += row_bytes + 100
    if len(batch):
        yield batch


@contextmanager
def _translated(config: settings.Cassandra) -> Iterator[None]:
    try:
        yield
    except _CLIENT_ERRORS as error:
        where = ", ".join(f"{host}:{config.port}" for host in config.hosts)
        reason = str(error).partition("\n")[0]
        raise StoreError(f"Cassandra at {where}: {reason}; see `sluice doctor`, or set cassandra.hosts") from error

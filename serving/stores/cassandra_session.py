"""What the stores in Cassandra share: a session that is opened when it is used, its statements, errors by name."""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cassandra import ConsistencyLevel, DriverException, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.pool import NoConnectionsAvailable
from cassandra.query import BatchStatement, BatchType, PreparedStatement

from schemas import settings
from schemas.errors import StoreError

# Cassandra refuses a batch of more than 50 KiB; a batch saves the client four fifths of its time per row.
BATCH_ROWS = 32
BATCH_BYTES = 32 * 1024
IN_FLIGHT = 16
READS_IN_FLIGHT = 64
PAGE_ROWS = 2000
# A server that knows our batches no better warns of the size of each, twice, and the driver would log that each time.
logging.getLogger("cassandra.protocol").setLevel(logging.ERROR)

_CLIENT_ERRORS = (DriverException, NoHostAvailable, ConnectionException, NoConnectionsAvailable, OSError)


@dataclass(frozen=True)
class Put:
    """A row to write: the text of its statement, the values, and about how many bytes they are."""

    text: str
    values: tuple[Any, ...]
    size: int


@dataclass(frozen=True)
class _Open:
    """A session and what was prepared on it, by its text."""

    cluster: Cluster
    session: Session
    prepared: Mapping[str, PreparedStatement]


class CassandraSession:
    """A session that is opened by the first call; safe to share between threads. Its errors are StoreErrors.

    `texts` are the statements that are used, with `{keyspace}` for its name.
    """

    def __init__(self, config: settings.Cassandra, texts: Sequence[str]) -> None:
        self._config = config
        self._texts = texts
        self._opening = threading.Lock()
        self._held: _Open | None = None

    def execute(self, text: str, values: tuple[Any, ...] = ()) -> Any:
        """The rows of one of the statements, page by page."""
        with self._session() as held:
            return held.session.execute(held.prepared[text], values)

    def execute_each(self, text: str, values: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The first row of the statement with each of the values, None where there is none; READS_IN_FLIGHT at once."""
        with self._session() as held:
            rows: list[Any] = []
            in_flight: deque[Any] = deque()
            for given in values:
                if len(in_flight) == READS_IN_FLIGHT:
                    rows.append(in_flight.popleft().result().one())
                in_flight.append(held.session.execute_async(held.prepared[text], given))
            return rows + [future.result().one() for future in in_flight]

    def put(self, puts: Iterable[Put]) -> None:
        """Write the rows in unlogged batches: each is an upsert of its own, so a batch that failed half-way is written
        again."""
        with self._session() as held:
            in_flight: deque[Any] = deque()
            # Bound before the first leaves: sent one upon the other, the driver's thread takes several each time it
            # wakes. With more rows to make between two it would take the interpreter from this thread for each.
            for batch in list(_batches(held, puts)):
                if len(in_flight) == IN_FLIGHT:
                    in_flight.popleft().result()
                in_flight.append(held.session.execute_async(batch))
            for future in in_flight:
                future.result()

    def close(self) -> None:
        """End the session."""
        with self._opening:
            if self._held is not None:
                self._held.cluster.shutdown()
                self._held = None

    @contextmanager
    def translated(self) -> Iterator[None]:
        """The driver's errors as StoreErrors."""
        with _translated(self._config):
            yield

    @contextmanager
    def _session(self) -> Iterator[_Open]:
        with _translated(self._config):
            if self._held is None:
                with self._opening:
                    self._held = self._held or _open(self._config, self._texts)
            yield self._held


def run(config: settings.Cassandra, statements: Sequence[str]) -> None:
    """Run statements one after the other in a session of their own. Raises StoreError."""
    with _translated(config):
        cluster = _cluster(config)
        try:
            session = cluster.connect()
            for statement in statements:
                session.execute(statement)
        finally:
            cluster.shutdown()


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
        # Version 5 frames and sums each message anew in Python: a quarter of the writing thread's time.
        protocol_version=4,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=timeout_s,
        control_connection_timeout=timeout_s,
        # Without it a small batch waits 40 ms for the acknowledgement of the one before.
        sockopts=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
    )


def _open(config: settings.Cassandra, texts: Sequence[str]) -> _Open:
    cluster = _cluster(config)
    try:
        session = cluster.connect()
        session.default_fetch_size = PAGE_ROWS
        prepared = {text: session.prepare(text.format(keyspace=config.keyspace)) for text in texts}
    except InvalidRequest as error:
        cluster.shutdown()
        raise StoreError(
            f"Cassandra has no tables in keyspace {config.keyspace}; `sluice up` or `sluice tables` creates them"
        ) from error
    except BaseException:
        cluster.shutdown()
        raise
    for statement in prepared.values():
        statement.is_idempotent = True
    return _Open(cluster, session, prepared)


def _batches(held: _Open, puts: Iterable[Put]) -> Iterator[BatchStatement]:
    batch, size = BatchStatement(BatchType.UNLOGGED), 0
    for put in puts:
        if len(batch) and (len(batch) == BATCH_ROWS or size + put.size > BATCH_BYTES):
            yield batch
            batch, size = BatchStatement(BatchType.UNLOGGED), 0
        batch.add(held.prepared[put.text], put.values)
        size += put.size + 100
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

"""The job: one flow for each store and concern, so that what is down or slow delays itself alone."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.materialize.write import Write
from jobs.runtime.stage import Door, Flow, Job
from schemas.topics import DEAD_LETTERS, DECISIONS, FEATURE_UPDATES, ITEMS, RANKINGS, RECOMMENDATIONS
from serving import materialize_items, materialize_lists
from serving.inflight import Record
from serving.materialize import Writes, step
from serving.materialize_items import ItemWrites
from serving.materialize_lists import ListWrites
from serving.materialize_read import JOB
from serving.stored_catalogue import stored_catalogue
from serving.stores import cassandra_history, redis_items, redis_lists, redis_online
from serving.stores.lists import ShownList
from serving.stores.online import Freshness

# A store is to be fresh, but an answer goes first; a backlog of history takes nothing from what is fresh.
NICENESS = 5
HISTORY_NICENESS = 10


class _Online(Write[Writes]):
    """Newest features, state and recent decisions to Redis."""

    uid = "redis"

    def open(self, door: Door) -> None:
        super().open(door)
        self._catalogue = stored_catalogue()
        self._store = redis_online.connect(door.settings.redis, self._catalogue)

    def _read(self, batch: Sequence[Record]) -> Writes:
        return step(batch, self._catalogue)

    def _write(self, writes: Writes) -> None:
        self._store.write(writes.features)
        self._store.write_decisions(writes.decisions)
        if writes.newest_ms is not None:
            self._store.mark(Freshness(writes.newest_ms, self._door.now_ms()))

    def close(self) -> None:
        self._store.close()


class _History(Write[Writes]):
    """Decisions to Cassandra."""

    uid = "cassandra"
    reports_rejects = False

    def open(self, door: Door) -> None:
        super().open(door)
        self._catalogue = stored_catalogue()
        self._store = cassandra_history.connect(door.settings.cassandra)

    def _read(self, batch: Sequence[Record]) -> Writes:
        return step(batch, self._catalogue)

    def _write(self, writes: Writes) -> None:
        self._store.write_decisions(writes.decisions)

    def close(self) -> None:
        self._store.close()


class _Lists(Write[ListWrites]):
    """Each user's newest list to Redis."""

    uid = "redis-lists"
    reports_rejects = False  # it does not look at all of a list

    def open(self, door: Door) -> None:
        super().open(door)
        self._store = redis_lists.connect(door.settings.redis)

    def _read(self, batch: Sequence[Record]) -> ListWrites:
        return materialize_lists.step(batch, ShownList)

    def _write(self, writes: ListWrites) -> None:
        self._store.write_lists(writes.newest)
        if writes.lists:
            newest_ms = max(made.event_time_ms for made in writes.lists)
            self._store.mark(Freshness(newest_ms, self._door.now_ms()))

    def close(self) -> None:
        self._store.close()


class _ListHistory(Write[ListWrites]):
    """Every list to Cassandra."""

    uid = "cassandra-lists"

    def open(self, door: Door) -> None:
        super().open(door)
        self._store = cassandra_history.connect(door.settings.cassandra)

    def _read(self, batch: Sequence[Record]) -> ListWrites:
        return materialize_lists.step(batch)

    def _write(self, writes: ListWrites) -> None:
        self._store.write_lists(writes.lists)

    def close(self) -> None:
        self._store.close()


class _Items(Write[ItemWrites]):
    """Catalogue entries and rankings to Redis."""

    uid = "redis-items"

    def open(self, door: Door) -> None:
        super().open(door)
        self._store = redis_items.connect(door.settings.redis)

    def _read(self, batch: Sequence[Record]) -> ItemWrites:
        return materialize_items.step(batch)

    def _write(self, writes: ItemWrites) -> None:
        self._store.write_entries(writes.entries)
        self._store.write_rankings(writes.rankings)

    def close(self) -> None:
        self._store.close()


MATERIALIZE = Job(
    JOB,
    (
        Flow("online", (DECISIONS, FEATURE_UPDATES), (_Online(),), (DEAD_LETTERS,), batch_ms=40),
        Flow("history", (DECISIONS,), (_History(),), (DEAD_LETTERS,), batch_ms=100, niceness=HISTORY_NICENESS),
        Flow("lists", (RECOMMENDATIONS,), (_Lists(),), (DEAD_LETTERS,), batch_ms=40),
        Flow("items", (ITEMS, RANKINGS), (_Items(),), (DEAD_LETTERS,), batch_ms=100),
        Flow(
            "list_history",
            (RECOMMENDATIONS,),
            (_ListHistory(),),
            (DEAD_LETTERS,),
            batch_ms=250,
            niceness=HISTORY_NICENESS,
        ),
    ),
    keeps_state=False,
    niceness=NICENESS,
)

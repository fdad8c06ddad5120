"""The history store in Cassandra 5."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

import msgspec

from schemas import codec, settings
from schemas.events import Decision, RecommendationList
from schemas.units import DAY_MS
from serving.labels.words import Words, pack_words, unpack_words
from serving.stores import cassandra_schema as schema
from serving.stores import cassandra_session
from serving.stores.aggregate import Counted, aggregate, first_day
from serving.stores.cassandra_session import CassandraSession, Put
from serving.stores.history import UserAggregates, brief, check_ids, check_range, day_of
from serving.stores.ids import id_bytes
from serving.stores.listed import pack_listed, pack_whole, unpack_listed, unpack_whole
from serving.stores.lists import check_list
from serving.stores.words import Spoken

DAYS_A_QUERY = 32

_decision_decoder = msgspec.json.Decoder(Decision)
_counted_decoder = msgspec.json.Decoder(Counted)
_T = TypeVar("_T")


def connect(config: settings.Cassandra) -> CassandraHistory:
    """The history store; a session is opened by the first call, so a Cassandra that is down can wait."""
    return CassandraHistory(config)


def create_schema(config: settings.Cassandra) -> None:
    """Create keyspace and tables where they are missing and set their time to live; run by one process at a time.

    Raises StoreError.
    """
    cassandra_session.run(config, schema.ddl(config))


class CassandraHistory:
    """A HistoryStore and a WordStore in Cassandra; safe to share between threads."""

    def __init__(self, config: settings.Cassandra) -> None:
        self._session = CassandraSession(config, schema.STATEMENTS)

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            check_ids(decision)
        self._session.put(put for decision in decisions for put in _decision_puts(decision))

    def decision(self, event_id: str) -> Decision | None:
        id_bytes("event id", event_id)
        row = self._session.execute(schema.GET_BY_ID, (event_id,)).one()
        return None if row is None else _decision_decoder.decode(row.body)

    def decisions_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[Decision]:
        def decoded(row: Any) -> Decision:
            return _decision_decoder.decode(row.body)

        return self._newest(schema.GET_BY_USER, decoded, user_id, since_ms, until_ms, limit)

    def decisions(self, event_ids: Collection[str]) -> dict[str, Decision]:
        found = self._by_id("event id", schema.GET_BY_ID, event_ids)
        return {event_id: _decision_decoder.decode(body) for event_id, body in found.items()}

    def every_decision(self) -> Iterator[Decision]:
        with self._session.translated():
            for row in self._session.execute(schema.GET_ALL):
                yield _decision_decoder.decode(row.body)

    def aggregates(self, user_id: str, days: int, as_of_ms: int) -> UserAggregates:
        first, last = first_day(days, as_of_ms), day_of(as_of_ms)
        rows = (
            row
            for start in range(first, last + 1, DAYS_A_QUERY)
            for row in self._rows(
                schema.GET_BY_USER,
                user_id,
                list(range(start, min(start + DAYS_A_QUERY, last + 1))),
                first * DAY_MS,
                as_of_ms + 1,
            )
        )
        return aggregate(user_id, days, as_of_ms, (_counted_decoder.decode(row.body) for row in rows))

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        for made in lists:
            check_list(made)
        # Rows of one user's day lie in one partition: beside each other they are one write of it.
        packed = [(made, pack_listed(made)) for made in sorted(lists, key=lambda made: made.user_id)]
        by_user = (_list_put(made, body) for made, body in packed)
        self._session.put(chain(by_user, (_whole_list_put(made, body) for made, body in packed)))

    def lists(self, list_ids: Collection[str]) -> dict[str, RecommendationList]:
        found = self._by_id("list id", schema.GET_LIST_BY_ID, list_ids)
        return {list_id: unpack_whole(body, list_id) for list_id, body in found.items()}

    def lists_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[RecommendationList]:
        def decoded(row: Any) -> RecommendationList:
            return unpack_listed(row.body, user_id, row.event_time_ms, row.id)

        return self._newest(schema.GET_LISTS, decoded, user_id, since_ms, until_ms, limit)

    def words(self, example_ids: Collection[str]) -> dict[str, Words]:
        found = self._by_id("example id", schema.GET_WORDS, example_ids)
        return {example_id: unpack_words(body) for example_id, body in found.items()}

    def write_words(self, spoken: Sequence[Spoken]) -> None:
        self._session.put(_words_put(said) for said in spoken)

    def check(self) -> None:
        self._session.execute(schema.CHECK)

    def close(self) -> None:
        self._session.close()

    def _newest(
        self, text: str, decoded: Callable[[Any], _T], user_id: str, since_ms: int, until_ms: int, limit: int
    ) -> list[_T]:
        """The newest rows of a table by user and day, newest first."""
        check_range(since_ms, until_ms, limit)
        found: list[Any] = []
        day, oldest = day_of(until_ms - 1), day_of(max(0, since_ms))
        # A busy user fills the limit with the first days, a quiet one is walked in doubling strides.
        stride = 1
        while day >= oldest and len(found) < limit:
            days = list(range(day, max(oldest, day - stride + 1) - 1, -1))
            rows = self._rows(text, user_id, days, since_ms, until_ms, limit)
            found += sorted(rows, key=lambda row: (-row.event_time_ms, row.id.encode()))
            day, stride = days[-1] - 1, min(stride * 2, DAYS_A_QUERY)
        return [decoded(row) for row in found[:limit]]

    def _by_id(self, what: str, text: str, ids: Collection[str]) -> dict[str, bytes]:
        for name in ids:
            id_bytes(what, name)
        with self._session.translated():
            rows = self._session.execute_each(text, [(name,) for name in ids])
        return {name: row.body for name, row in zip(ids, rows, strict=True) if row is not None}

    def _rows(
        self, text: str, user_id: str, days: list[int], since_ms: int, until_ms: int, limit: int = 2**31 - 1
    ) -> Iterator[Any]:
        """The user's rows of those days, page by page."""
        id_bytes("user id", user_id)
        with self._session.translated():
            yield from self._session.execute(text, (user_id, days, since_ms, until_ms, limit))


def _decision_puts(decision: Decision) -> Iterator[Put]:
    whole, short = codec.encode(decision), codec.encode(brief(decision))
    day, timestamp_us = day_of(decision.event_time_ms), decision.event_time_ms * 1000
    yield Put(schema.PUT_BY_ID, (decision.event_id, whole, timestamp_us), len(whole))
    key = (decision.user_id, day, decision.event_time_ms, decision.event_id)
    yield Put(schema.PUT_BY_USER, (*key, short, timestamp_us), len(short))


def _list_put(made: RecommendationList, body: bytes) -> Put:
    key = (made.user_id, day_of(made.event_time_ms), made.event_time_ms, made.list_id)
    return Put(schema.PUT_LIST, (*key, body, made.event_time_ms * 1000), len(body))


def _whole_list_put(made: RecommendationList, listed: bytes) -> Put:
    body = pack_whole(made, listed)
    return Put(schema.PUT_LIST_BY_ID, (made.list_id, body, made.event_time_ms * 1000), len(body))


def _words_put(said: Spoken) -> Put:
    id_bytes("example id", said.example_id)
    body = pack_words(said.words)
    # The time of the answer and not of the word: a time-out is known later than a label that replaces it.
    return Put(schema.PUT_WORDS, (said.example_id, body, said.decided_ms * 1000 + said.words.count), len(body))

"""The history store's twin in memory: the same answers without a server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from schemas.events import Decision, RecommendationList
from serving.labels.words import Words, pack_words, unpack_words
from serving.stores.aggregate import Counted, aggregate
from serving.stores.history import UserAggregates, brief, check_ids, check_range
from serving.stores.ids import id_bytes
from serving.stores.listed import listed, whole
from serving.stores.lists import check_list
from serving.stores.words import Spoken


class MemoryHistory:
    """A HistoryStore and a WordStore in dictionaries. `clock` gives wall time in ms and ends the times to live."""

    def __init__(self, ttl_s: int, clock: Callable[[], int], list_ttl_s: int = 30 * 24 * 3600) -> None:
        self._ttl_ms = ttl_s * 1000
        self._list_ttl_ms = list_ttl_s * 1000
        self._clock = clock
        self._by_id: dict[str, tuple[Decision, int]] = {}
        self._by_user: dict[str, dict[tuple[int, str], tuple[Decision, int]]] = {}
        self._whole: dict[str, tuple[RecommendationList, int]] = {}
        self._words: dict[str, bytes] = {}
        self._lists: dict[str, dict[tuple[int, str], tuple[RecommendationList, int]]] = {}

    def write_decisions(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            check_ids(decision)
        expires_ms = self._clock() + self._ttl_ms
        for decision in decisions:
            held = self._by_id.get(decision.event_id)
            if held is None or held[0].event_time_ms <= decision.event_time_ms:
                self._by_id[decision.event_id] = (decision, expires_ms)
            rows = self._by_user.setdefault(decision.user_id, {})
            rows[decision.event_time_ms, decision.event_id] = (brief(decision), expires_ms)

    def decision(self, event_id: str) -> Decision | None:
        id_bytes("event id", event_id)
        held = self._by_id.get(event_id)
        return held[0] if held is not None and held[1] > self._clock() else None

    def decisions(self, event_ids: Collection[str]) -> dict[str, Decision]:
        found = {event_id: self.decision(event_id) for event_id in event_ids}
        return {event_id: decision for event_id, decision in found.items() if decision is not None}

    def every_decision(self) -> Iterator[Decision]:
        now_ms = self._clock()
        yield from [decision for decision, expires_ms in self._by_id.values() if expires_ms > now_ms]

    def decisions_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[Decision]:
        check_range(since_ms, until_ms, limit)
        found = [d for d in self._live(user_id) if since_ms <= d.event_time_ms < until_ms]
        return sorted(found, key=lambda d: (-d.event_time_ms, d.event_id.encode()))[:limit]

    def aggregates(self, user_id: str, days: int, as_of_ms: int) -> UserAggregates:
        rows = (Counted(d.event_time_ms, d.amount, d.decision, d.merchant_id) for d in self._live(user_id))
        return aggregate(user_id, days, as_of_ms, rows)

    def write_lists(self, lists: Sequence[RecommendationList]) -> None:
        for made in lists:
            check_list(made)
        expires_ms = self._clock() + self._list_ttl_ms
        for made in lists:
            self._lists.setdefault(made.user_id, {})[made.event_time_ms, made.list_id] = (listed(made), expires_ms)
            held = self._whole.get(made.list_id)
            if held is None or held[0].event_time_ms <= made.event_time_ms:
                self._whole[made.list_id] = (whole(made), expires_ms)

    def lists_of(self, user_id: str, since_ms: int, until_ms: int, limit: int) -> list[RecommendationList]:
        check_range(since_ms, until_ms, limit)
        id_bytes("user id", user_id)
        now_ms = self._clock()
        held = self._lists.get(user_id, {}).values()
        found = [made for made, expires_ms in held if expires_ms > now_ms and since_ms <= made.event_time_ms < until_ms]
        return sorted(found, key=lambda made: (-made.event_time_ms, made.list_id.encode()))[:limit]

    def _live(self, user_id: str) -> list[Decision]:
        id_bytes("user id", user_id)
        now_ms = self._clock()
        return [decision for decision, expires_ms in self._by_user.get(user_id, {}).values() if expires_ms > now_ms]

    def lists(self, list_ids: Collection[str]) -> dict[str, RecommendationList]:
        now_ms = self._clock()
        for name in list_ids:
            id_bytes("list id", name)
        held = {name: self._whole[name] for name in list_ids if name in self._whole}
        return {name: made for name, (made, expires_ms) in held.items() if expires_ms > now_ms}

    def words(self, example_ids: Collection[str]) -> dict[str, Words]:
        for name in example_ids:
            id_bytes("example id", name)
        return {name: unpack_words(self._words[name]) for name in example_ids if name in self._words}

    def write_words(self, spoken: Sequence[Spoken]) -> None:
        for said in spoken:
            id_bytes("example id", said.example_id)
            self._words[said.example_id] = pack_words(said.words)

    def check(self) -> None:
        """Memory always answers."""

    def close(self) -> None:
        """Memory holds no connection."""

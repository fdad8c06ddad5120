"""The recommender's step: events in, a list for each interaction out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from schemas.control import RecommendPolicy
from schemas.events import Interaction, Item, SourcePosition
from serving.entities import stable_hash
from serving.entity_cache import Read, Writes
from serving.recommend.artifact import Artifact
from serving.recommend.ask import Ask, asked
from serving.recommend.control import Chosen, RecommendControl
from serving.recommend.features.catalogue import FEATURE_SET
from serving.recommend.funnel import LEADS, Funnel, Listed, Ranked, listed
from serving.recommend.interest import DEFAULT_POLICY
from serving.recommend.online import ranked_with, told
from serving.recommend.outgoing import OutgoingList, outgoing_items
from serving.recommend.rules import bought
from serving.recommend.user import User
from serving.recommend.world import World, has_long_segment

# Lists whose candidates are scored in one call: a batch is cut into such parts.
MOST_LISTS = 64
# So many of the items bought last go with a list.
MOST_BOUGHT = 100


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event as it came; `source` says where it lies, None when it is not part of the stream."""

    event: Interaction | Item
    source: SourcePosition | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A list that waits for its scores. `bought` are items by number; its user may go on buying meanwhile."""

    cause: str
    time_ms: int
    user_id: str
    list_id: str
    ask: Ask
    chosen: Chosen
    ranked: Ranked
    bought: list[int]
    source: SourcePosition | None


@dataclass
class Counts:
    """What a step met: repeats taught nothing and got no list; unknown items taught nothing; refused had no room.

    Limited interactions were too many of one user for a minute: they got lists, and taught the shop nothing. A segment
    with a name too long was left out; one that was replaced lost its trends to a new one. Fallbacks are lists that the
    sources could not fill.
    """

    interactions: int = 0
    items: int = 0
    repeats: int = 0
    unknown_items: int = 0
    refused_items: int = 0
    limited: int = 0
    long_segments: int = 0
    replaced_segments: int = 0
    fallbacks: int = 0


# Sees every list before it leaves, with all its candidates: how a trainer collects examples.
Watch = Callable[[Waiting, Listed], None]


class Recommender:
    """Everything known of users and items, and the step over it. `read` as in World."""

    def __init__(self, read: Read = lambda _: None, cached_users: int = 200_000) -> None:
        self.world = World(read, cached_users)
        self.counts = Counts()
        self._funnel = Funnel()
        self._artifact: Artifact | None = None

    def step(
        self,
        batch: Sequence[Arrived],
        control: RecommendControl,
        watch: Watch | None = None,
        learned: Callable[[int], None] | None = None,
    ) -> list[OutgoingList]:
        """Learn from each event in its order; a list for each interaction that is no repeat, as of right after it.

        `learned` is called with the time of each event, right after it was learned.
        """
        self._take(control)
        lists: list[OutgoingList] = []
        waiting: list[Waiting] = []
        for arrived in batch:
            event = arrived.event
            user = self._learn(event, control.policy)
            if learned is not None:
                learned(event.event_time_ms)
            if user is None or isinstance(event, Item):
                continue
            if event.impression and not control.policy.answer_impressions:
                continue
            now_ms = max(user.newest_ms, event.event_time_ms)
            waiting.append(self._wait(control, user, event.user_id, event.event_id, now_ms, arrived.source))
            if len(waiting) == MOST_LISTS:
                lists += self._finish(waiting, control, watch)
                waiting = []
        return lists + self._finish(waiting, control, watch)

    def learn(self, batch: Iterable[Interaction | Item], policy: RecommendPolicy = DEFAULT_POLICY) -> None:
        """The step without its lists: for a backfill over history."""
        for event in batch:
            self._learn(event, policy)

    def recommend(
        self,
        user_id: str,
        now_ms: int,
        control: RecommendControl,
        *,
        cause: str = "",
        segment: str = "",
        watch: Watch | None = None,
    ) -> OutgoingList:
        """A list on demand: nothing is learned. `cause` names the request, and seeds what is drawn."""
        self._take(control)
        user = self.world.users.get(user_id)
        waiting = self._wait(control, user, user_id, cause or f"{user_id}@{now_ms}", now_ms, None, segment)
        return self._finish([waiting], control, watch)[0]

    def take_writes(self) -> Writes:
        """State that changed since the last call, by key; to be stored before the lists leave."""
        return self.world.take_writes()

    def _learn(self, event: Interaction | Item, policy: RecommendPolicy) -> User | None:
        """Take an event in; returns the user who is to get a list."""
        if isinstance(event, Item):
            self.counts.items += 1
            self.counts.refused_items += not self.world.put(event)
            return None
        self.counts.interactions += 1
        self.counts.unknown_items += event.item_id not in self.world.items.numbers
        learned = self.world.learn(event, policy)
        self.counts.repeats += not learned.new
        self.counts.limited += learned.limited
        self.counts.long_segments += has_long_segment(event)
        self.counts.replaced_segments += learned.replaced
        return learned.user if learned.new else None

    def _take(self, control: RecommendControl) -> None:
        """What is in force now; the artifact's rows follow the items that came."""
        if control.artifact is not self._artifact:
            self._artifact = control.artifact
            if self._artifact is not None:
                self._artifact.linear.rows.forget()
                self._artifact.vectors.forget()
        self.world.items.ban(frozenset(control.policy.banned_flags))

    def _wait(
        self,
        control: RecommendControl,
        user: User,
        user_id: str,
        cause: str,
        now_ms: int,
        source: SourcePosition | None,
        segment: str = "",
    ) -> Waiting:
        chosen, world = control.chosen(user_id), self.world
        policy = chosen.policy
        ask = asked(
            user,
            now_ms,
            segment or user.segment,
            world.items,
            world.trends,
            self._artifact.linear if self._artifact is not None else None,
            self._artifact.vectors if self._artifact is not None else None,
            policy,
            new_user=user.events < policy.new_user_events,
        )
        list_id = blake2b(f"{user_id}\0{cause}".encode(), digest_size=8).hexdigest()
        struck = bought.newest(ask, MOST_BOUGHT) if bought.NAME in policy.rules else []
        return Waiting(cause, now_ms, user_id, list_id, ask, chosen, self._funnel.shortlist(ask), struck, source)

    def _finish(self, waiting: Sequence[Waiting], control: RecommendControl, watch: Watch | None) -> list[OutgoingList]:
        if not waiting:
            return []
        ranker = self._artifact.ranker if self._artifact is not None else None
        if ranker is None:
            scores = np.concatenate([w.ranked.blend for w in waiting])
        else:
            scores = ranker.score(np.concatenate([w.ranked.features for w in waiting]))
        # Where no model ranks, the blend of the sources is the champion.
        members = control.online.members(champion=True)
        own = scores
        if blended := any(member.weight for member in members):
            ends = np.cumsum([len(one.ranked.items) for one in waiting])[:-1]
            scores = ranked_with(members, [w.ranked.features for w in waiting], np.split(scores, ends))
        lists, place = [], 0
        for one in waiting:
            rows = slice(place, place + len(one.ranked.items))
            found = listed(one.ask, one.ranked, scores[rows], stable_hash(one.list_id))
            place = rows.stop
            self.counts.fallbacks += one.ranked.fallback
            if watch is not None:
                watch(one, found)
            lists.append(
                OutgoingList(
                    one.cause,
                    one.time_ms,
                    one.user_id,
                    one.list_id,
                    outgoing_items(self.world.items.ids, one.ranked, found, LEADS, own[rows] if blended else None),
                    FEATURE_SET,
                    ranker.label if ranker is not None else "",
                    self._artifact.vectors.label if self._artifact is not None else "",
                    one.chosen.version,
                    one.ask.segment,
                    one.ask.new_user,
                    one.source,
                    told(members, one.ranked.features[found.rows]) if members else {},
                    dict(one.chosen.variants),
                    [self.world.items.ids[number] for number in one.bought],
                )
            )
        return lists

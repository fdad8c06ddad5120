"""All that the recommender knows: items, trends and users, learning from events, with the state that changed."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.control import RecommendPolicy
from schemas.events import Interaction, Item
from schemas.units import DAY_MS, MINUTE_MS
from serving.compiled import compiled
from serving.entity_cache import Read, Writes
from serving.recommend import state
from serving.recommend.clicks import look
from serving.recommend.interest import DEFAULT_POLICY, interest
from serving.recommend.items import Items, count
from serving.recommend.leaders import touch
from serving.recommend.trends import GENERAL, Trends
from serving.recommend.user import KINDS, User
from serving.recommend.users import Users
from serving.recommend.workspace import Numbers, Scores

# How many of the items touched before become neighbours of the next, and how fast neighbours are forgotten.
COMPANIONS = 10
NEIGHBOUR_HALF_MS = 60.0 * DAY_MS
# Segments come from outside: a longer name is no id of a ranking, and would lie in the state of every user that has it.
MOST_SEGMENT_CHARS = 64
# State is forgotten 40 days after it was written: what gives items their numbers, and entries of items that people
# touch, are written again so often that they never are. A number that came to mean another item would be wrong in the
# state of every user.
KEEP_MS = 10 * DAY_MS
_KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


class Learned(NamedTuple):
    """Whose interaction it was, whether it was new, and whether it was one too many to teach the shop anything.

    `replaced` says that another segment lost its trends to that of the interaction.
    """

    user: User
    new: bool
    limited: bool = False
    replaced: bool = False


class World:
    """`read` gives the state bytes of a key; at most `cached_users` users are held between batches."""

    def __init__(self, read: Read = lambda _: None, cached_users: int = 200_000) -> None:
        self._read = read
        self.items = Items()
        self.trends = Trends()
        self.users = Users(self._stored, cached_users)
        self._writes: Writes = {}
        self._changed_users: dict[str, User] = {}
        self._changed_items: dict[int, None] = {}
        self._changed_trends: dict[str, None] = {}
        # What waits to be told of (serving/recommend/rankings.py), the first to change first. After a restart it is
        # all there is, for what waited then is forgotten.
        self.untold_items: OrderedDict[int, None] = OrderedDict()
        self.untold_trends: dict[str, None] = {}
        self._kept_ms = 0
        self._kept_items: set[int] = set()
        self._restore()
        self.untold_items.update(dict.fromkeys(range(len(self.items))))
        self.untold_trends.update(dict.fromkeys(self.trends.rows))

    def put(self, entry: Item) -> bool:
        """Take a catalogue entry; False when there is room for no more items."""
        new = entry.item_id not in self.items.numbers
        number = self.items.put(entry)
        if number is None:
            return False
        self._keep_entry(number)
        self._keep_block(number // state.BLOCK)
        self.untold_items[number] = None
        if new:
            # Nothing was told of it yet, so it goes first.
            self.untold_items.move_to_end(number, last=False)
        self.untold_trends.update(dict.fromkeys(GENERAL))
        return True

    def learn(self, event: Interaction, policy: RecommendPolicy = DEFAULT_POLICY) -> Learned:
        """Take an interaction in.

        A repeat teaches nothing; neither does an item that no catalogue entry made known. An impression is a look at
        its place: the shop chose that item, nobody else did. What
        speaks for nothing, and what is too much for a minute, is known of its user alone.
        """
        user = self.users.get(event.user_id)
        if user.is_repeat(event.event_id):
            return Learned(user, new=False)
        self._changed_users[event.user_id] = user
        segment = event.context.get("segment", "")
        if segment and not has_long_segment(event):
            user.segment = segment
        item = self.items.numbers.get(event.item_id)
        if item is None:
            return Learned(user, new=True)
        items, time_ms = self.items, event.event_time_ms
        self._keep(item, time_ms)
        most = policy.most_per_minute
        # Few users keep so many at all: counting those of the minute is for them.
        limited = 0 < most <= user.recent_size and user.is_busy(time_ms - MINUTE_MS, time_ms, most)
        weight = 0.0 if limited else interest(event, policy)
        # What follows a click, a cart or a purchase, is no second click on the one look.
        clicked = event.kind == "click"
        if not limited and event.position is not None and (event.impression or clicked):
            look(items.clicks, items.looks, item, event.position, clicked)
            self._changed_items[item] = None
        replaced = weight > 0 and self._make_room(user.segment)
        if weight > 0:
            self._teach(user, item, time_ms, weight)
        if not event.impression:
            # Of a bot, too: what it bought is not offered again.
            liked = limited or weight > 0
            user.learn(item, time_ms, _KIND_NUMBERS[event.kind], liked=liked)
        return Learned(user, new=True, limited=limited, replaced=replaced)

    def _make_room(self, segment: str) -> bool:
        """See that a segment has trends; whether another one lost its own."""
        gone = self.trends.make_room(segment)
        if gone is None:
            return False
        self._changed_trends.pop(gone, None)
        self.untold_trends.pop(gone, None)
        self._writes[state.trend_key(gone)] = None
        return True

    def _teach(self, user: User, item: int, time_ms: int, weight: float) -> None:
        """What all users get to see of an interaction."""
        items = self.items
        companions = accompany(
            user.known, user.known_size, item, time_ms, items.near, items.near_weights, items.near_ms, weight
        )
        count(items.popularity, items.popular_ms, item, time_ms, weight)
        items.totals[item] += 1
        for name in self.trends.learn(item, time_ms, user.segment, weight):
            self._changed_trends[name] = None
            self.untold_trends[name] = None
        for number in (item, *companions.tolist()):
            self._changed_items[number] = None
            self.untold_items[number] = None

    def take_writes(self) -> Writes:
        """State that changed since the last call, by key."""
        writes = self._writes
        for user_id, user in self._changed_users.items():
            writes[state.user_key(user_id)] = state.pack_user(user)
        for number in self._changed_items:
            writes[f"i:{self.items.ids[number]}"] = state.pack_item(self.items, number)
        for name in self._changed_trends:
            writes[state.trend_key(name)] = state.pack_trend(self.trends, name)
        if self._changed_trends:
            writes[state.TRENDS_KEY] = state.pack_trend_names(self.trends)
        self._writes = {}
        self._changed_users, self._changed_items, self._changed_trends = {}, {}, {}
        self.users.trim()
        return writes

    def _keep(self, item: int, time_ms: int) -> None:
        """Write what would be forgotten though people touch the item."""
        if time_ms >= self._kept_ms + KEEP_MS:
            self._kept_ms = time_ms
            self._kept_items.clear()
            for block in range(-(-len(self.items) // state.BLOCK)):
                self._keep_block(block)
        if item not in self._kept_items:
            self._keep_entry(item)

    def _keep_entry(self, number: int) -> None:
        entry = self.items.entries[number]
        self._kept_items.add(number)
        self._writes[f"c:{entry.item_id}"] = state.pack_entry(entry)

    def _keep_block(self, block: int) -> None:
        self._writes[f"n:{block}"] = state.pack_block(self.items, block)

    def _stored(self, key: str) -> bytes | None:
        return self._writes[key] if key in self._writes else self._read(key)

    def _restore(self) -> None:
        names = self._read(state.TRENDS_KEY)
        if names is not None:
            state.restore_trends(self.trends, names, self._read)
        block = 0
        while (raw := self._read(f"n:{block}")) is not None:
            for item_id in state.unpack_block(f"n:{block}", raw):
                self._restore_item(item_id)
            block += 1

    def _restore_item(self, item_id: str) -> None:
        entry = self._read(f"c:{item_id}")
        # A number outlives its entry. What was banned or sold out must not come back: without one nothing is offered.
        number = self.items.put(
            Item(event_id=item_id, event_time_ms=0, item_id=item_id, stock=0)
            if entry is None
            else state.unpack_entry(item_id, entry)
        )
        done = self._read(f"i:{item_id}")
        if number is not None and done is not None:
            state.restore_item(self.items, number, f"i:{item_id}", done)


def has_long_segment(event: Interaction) -> bool:
    """Whether an interaction names a segment that is left out, for its name is too long."""
    return len(event.context.get("segment", "")) > MOST_SEGMENT_CHARS


@compiled
def accompany(
    known: NDArray[np.int64],
    known_size: int,
    item: int,
    time_ms: int,
    near: Numbers,
    weights: Scores,
    near_ms: NDArray[np.int64],
    strength: float,
) -> Numbers:
    """Make an item and the items touched before it neighbours, the nearer in order the more; returns those items."""
    companions = np.empty(COMPANIONS, np.int32)
    size = 0
    place = known_size - 1
    while place >= 0 and size < COMPANIONS:
        other = known[place, 1]
        if other != item and known[place, 2] > 0:
            weight = strength / np.sqrt(1.0 + size)
            touch(near, weights, near_ms, other, item, weight, time_ms, NEIGHBOUR_HALF_MS)
            touch(near, weights, near_ms, item, other, weight, time_ms, NEIGHBOUR_HALF_MS)
            companions[size] = other
            size += 1
        place -= 1
    return companions[:size]

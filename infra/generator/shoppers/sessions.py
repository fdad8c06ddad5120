"""What shoppers do in the sessions that begin in one slice of time, drawn as rows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from infra.generator.shoppers.attraction import Attraction, Shelves
from infra.generator.shoppers.catalogue import Catalogue, Floats, Ints
from infra.generator.shoppers.categories import CATEGORIES, GOES_WITH, REPEAT_DAYS, season
from infra.generator.shoppers.config import Config
from infra.generator.shoppers.people import HOURS, WEEKDAYS, People
from schemas.units import DAY_MS, HOUR_MS

VIEW, CLICK, CART, PURCHASE, RATING, TIME_SPENT = range(6)
NONE = -1

# A row of a session. `rating` and the two delays are of purchases: what may follow, 0 = nothing.
ROW = np.dtype(
    [
        ("time_ms", np.int64),
        ("user", np.int64),
        ("item", np.int64),
        ("kind", np.int64),
        ("value", np.float64),
        ("session", np.int64),
        ("list", np.int64),
        ("position", np.int64),
        ("rating", np.int64),
        ("rating_ms", np.int64),
        ("repeat_ms", np.int64),
    ]
)
Rows = NDArray[np.void]

MAX_STEPS = 12
LEAVE_SHARE = 0.28
LIST_SHARE = 0.6
LIST_LENGTH = 8
# How likely a place is looked at: what is below is seen less, whatever it is.
LOOKED_AT = 1.0 / np.arange(1, LIST_LENGTH + 1) ** 0.8
SEARCH_CHOICES = 3
# How much an item must be liked that half of the shoppers click on it, or put it into the cart.
CLICK_BAR, CART_BAR = 3.0, 4.6
REPEAT_SHARE, RATING_SHARE = 0.5, 0.3


class Sessions:
    """Draws the sessions of slices. A slice follows from the seed, start, its number and the stock at its begin."""

    def __init__(self, config: Config, catalogue: Catalogue, people: People) -> None:
        self._config, self._catalogue, self._people = config, catalogue, people
        self._attraction = Attraction(config, catalogue)

    def of_slice(self, index: int, stock: Ints) -> Rows:
        """Rows in no order; they may reach into later slices. Slices are counted from the start of the stream."""
        config = self._config
        start_ms = config.start_ms + index * config.slice_ms
        # The start belongs to it: who comes back to a shop another time sees other sessions of the same shoppers.
        rng = np.random.default_rng([config.seed, 40, index, config.start_ms])
        user, time_ms = self._begin(start_ms, rng)
        visit = _Visit(
            config, self._catalogue, self._people, self._attraction.shelves(start_ms, stock), index, user, time_ms, rng
        )
        return visit.walk(season((start_ms // HOUR_MS) % 24, _weekday(start_ms)))

    def _begin(self, start_ms: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Who comes in the slice, and when."""
        known = self._people.known(start_ms)
        people = self._people.shoppers
        hour = (start_ms // HOUR_MS - people.shift_h[:known]) % 24
        rate = people.activity[:known] * HOURS[hour] * WEEKDAYS[_weekday(start_ms)]
        edges = np.cumsum(rate * (self._config.slice_ms / DAY_MS))
        count = int(rng.poisson(edges[-1]))
        user = np.minimum(np.searchsorted(edges, rng.random(count) * edges[-1], side="right"), known - 1)
        return user, start_ms + rng.integers(0, self._config.slice_ms, count)


class _Visit:
    """Sessions side by side, a step of all at a time."""

    def __init__(
        self,
        config: Config,
        catalogue: Catalogue,
        people: People,
        shelves: Shelves,
        index: int,
        user: Ints,
        time_ms: Ints,
        rng: np.random.Generator,
    ) -> None:
        self._impressions, self._shelves, self._rng = config.impressions, shelves, rng
        self._items = catalogue.items
        self._user, self._clock = user, time_ms.copy()
        self._session = (index << 24) + np.arange(len(user))
        self._next_list = index << 24
        taste = people.tastes(user, int(time_ms[0])) if len(user) else np.zeros((0, len(CATEGORIES)))
        self._liking, self._style = taste[:, : len(CATEGORIES)], taste[:, len(CATEGORIES) :]
        self._level = people.shoppers.level[user]
        self._rows: list[Rows] = []

    def walk(self, seasonal: Floats) -> Rows:
        """All rows of the sessions."""
        rng, count = self._rng, len(self._user)
        interest = np.exp(self._liking) * seasonal
        self._edges = np.cumsum(interest / interest.sum(axis=1, keepdims=True), axis=1)
        self._focus = self._a_liked_category(np.arange(count))
        steps = np.minimum(rng.geometric(LEAVE_SHARE, count), MAX_STEPS)
        for step in range(MAX_STEPS):
            here = np.flatnonzero(steps > step)
            if not len(here):
                break
            by_list = rng.random(len(here)) < LIST_SHARE
            self._look_at_lists(here[by_list])
            self._search(here[~by_list])
            self._clock[here] += rng.lognormal(np.log(25_000), 0.8, len(here)).astype(np.int64)
        return np.concatenate(self._rows) if self._rows else np.empty(0, ROW)

    def _a_liked_category(self, who: Ints) -> Ints:
        chance = self._rng.random(len(who))
        found: Ints = np.minimum((chance[:, None] > self._edges[who]).sum(axis=1), len(CATEGORIES) - 1)
        return found

    def _liked(self, who: Ints, item: Ints) -> Floats:
        """How much these shoppers like these items, about 0 on average; who and item broadcast."""
        items = self._items
        style = (self._style[who] * items.style[item]).sum(axis=-1)
        dear = np.log(items.price[item]) - np.array([c.log_price for c in CATEGORIES])[items.category[item]]
        liking: Floats = (
            0.5 * self._liking[who, items.category[item]] + 0.45 * style - 0.6 * np.abs(dear - self._level[who]) - 0.3
        )
        return liking

    def _look_at_lists(self, who: Ints) -> None:
        """A list of the shop: half of what is looked at, the rest of what is liked and what everybody takes.

        Its order knows nothing of the shopper, so a difference between places is the places' own.
        """
        rng = self._rng
        shape = (len(who), LIST_LENGTH)
        liked = self._a_liked_category(np.repeat(who, LIST_LENGTH)).reshape(shape)
        source = rng.random(shape)
        chance = rng.random(shape)
        of_focus = self._shelves.draw(np.where(source < 0.5, self._focus[who][:, None], liked), chance)
        item = np.where(source < 0.8, of_focus, self._shelves.draw_any(chance))
        ordered = np.sort(item, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        fresh = np.ones(shape, dtype=bool)
        for number in np.flatnonzero(twice):
            _, first = np.unique(item[number], return_index=True)
            fresh[number] = np.isin(np.arange(LIST_LENGTH), first)
        position = np.where(fresh, np.cumsum(fresh, axis=1) - 1, NONE)
        lists = self._next_list + np.arange(len(who))
        self._next_list += len(who)
        if self._impressions:
            row, at = np.nonzero(fresh)
            shown_ms = self._clock[who][row]
            self._add(who[row], item[row, at], VIEW, shown_ms, lists=lists[row], position=position[row, at])
        wanted = 1 / (1 + np.exp(CLICK_BAR - self._liked(who[:, None], item)))
        clicked = fresh & (rng.random(shape) < wanted * LOOKED_AT[np.maximum(position, 0)])
        place: Ints = clicked.argmax(axis=1).astype(np.int64)
        did = np.flatnonzero(clicked.any(axis=1))
        self._clock[who] += rng.integers(2_000, 15_000, len(who))
        chosen, place = who[did], place[did]
        self._add(chosen, item[did, place], CLICK, self._clock[chosen], lists=lists[did], position=position[did, place])
        self._open(chosen, item[did, place])

    def _search(self, who: Ints) -> None:
        """The best of a few items of the category that is looked at, found without a list."""
        rng = self._rng
        category = np.repeat(self._focus[who], SEARCH_CHOICES)
        found = self._shelves.draw(category, rng.random(len(category))).reshape(len(who), SEARCH_CHOICES)
        best = self._liked(who[:, None], found).argmax(axis=1)
        item = found[np.arange(len(who)), best]
        self._clock[who] += rng.integers(1_000, 10_000, len(who))
        self._add(who, item, VIEW, self._clock[who])
        self._open(who, item)

    def _open(self, who: Ints, item: Ints) -> None:
        """An item's page: time spent, perhaps the cart and a purchase; then on to something like it."""
        rng, count = self._rng, len(who)
        liked = self._liked(who, item)
        spent_ms = (rng.lognormal(np.log(18_000), 0.7, count) * np.exp(np.clip(0.4 * liked, -1, 1))).astype(np.int64)
        carted = np.flatnonzero(rng.random(count) < 1 / (1 + np.exp(CART_BAR - liked)))
        buys = carted[rng.random(len(carted)) < 0.45]
        opened_ms = self._clock[who]
        self._add(who[carted], item[carted], CART, opened_ms[carted] + spent_ms[carted] * 3 // 4)
        self._buy(who[buys], item[buys], liked[buys], opened_ms[buys] + spent_ms[buys] + 20_000)
        told = np.flatnonzero(rng.random(count) < 0.8)
        self._add(
            who[told],
            item[told],
            TIME_SPENT,
            opened_ms[told] + spent_ms[told],
            value=np.round(spent_ms[told] / 1000, 1),
        )
        self._clock[who] += spent_ms

        category, second = self._items.category[item], self._items.second[item]
        following = np.where((second >= 0) & (rng.random(count) < 0.3), second, category)
        following[carted] = np.where(rng.random(len(carted)) < 0.5, GOES_WITH[category[carted]], following[carted])
        elsewhere = rng.random(count) < 0.2
        self._focus[who] = np.where(elsewhere, self._a_liked_category(who), following)

    def _buy(self, who: Ints, item: Ints, liked: Floats, time_ms: Ints) -> None:
        rng, count = self._rng, len(who)
        stars = np.clip(np.round(2.3 + 0.5 * liked + rng.normal(0, 0.7, count)), 1, 5).astype(np.int64)
        rating_ms = (np.minimum(rng.lognormal(np.log(4), 0.6, count), 30) * DAY_MS).astype(np.int64)
        days = REPEAT_DAYS[self._items.category[item]]
        again_ms = (days * np.minimum(rng.lognormal(0, 0.2, count), 2) * DAY_MS).astype(np.int64)
        self._add(
            who,
            item,
            PURCHASE,
            time_ms,
            value=np.where(days > 0, rng.integers(1, 4, count), 1).astype(np.float64),
            rating=np.where(rng.random(count) < RATING_SHARE, stars, 0),
            rating_ms=rating_ms,
            repeat_ms=np.where(rng.random(count) < REPEAT_SHARE, again_ms, 0),
        )

    def _add(
        self,
        who: Ints,
        item: Ints,
        kind: int,
        time_ms: Ints,
        *,
        value: Floats | float = 0.0,
        lists: Ints | int = NONE,
        position: Ints | int = NONE,
        rating: Ints | int = 0,
        rating_ms: Ints | int = 0,
        repeat_ms: Ints | int = 0,
    ) -> None:
        rows = np.empty(len(who), ROW)
        columns = (time_ms, self._user[who], item, kind, value, self._session[who], lists, position)
        for name, column in zip(ROW.names or (), (*columns, rating, rating_ms, repeat_ms), strict=True):
            rows[name] = column
        self._rows.append(rows)


def _weekday(time_ms: int) -> int:
    return datetime.fromtimestamp(time_ms / 1000, UTC).weekday()

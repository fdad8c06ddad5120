"""A user's tables against lists that keep everything."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from serving.recommend import state
from serving.recommend.user import KEPT_OF, KINDS, MOST_KNOWN, MOST_RECENT, PURCHASE, User, touch

acts = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5 * DAY_MS), st.integers(0, len(KINDS) - 1)), max_size=60)


def learned(events) -> User:
    user = User()
    for item, time_ms, kind in events:
        user.learn(item, time_ms, kind)
    return user


@given(acts)
@settings(max_examples=150, deadline=None)
def test_tables_say_what_the_whole_history_says(events):
    user = learned(events)
    known = user.known[: user.known_size]
    assert list(known[:, 0]) == sorted(known[:, 0])
    assert {int(row[1]): (int(row[0]), int(row[2]), int(row[3])) for row in known} == {
        item: (
            max(t for i, t, _ in events if i == item),
            sum(i == item for i, _, _ in events),
            max((t // 1000 for i, t, k in events if i == item and k == PURCHASE), default=0),
        )
        for item in {i for i, _, _ in events}
    }
    newest = sorted(t for _, t, _ in events)[-MOST_RECENT:]
    assert list(user.recent[: user.recent_size, 0]) == newest
    days = {int(day): (int(n), int(bought)) for day, n, bought in user.days[: user.days_size]}
    assert days == {
        day: (
            sum(t // DAY_MS == day for _, t, _ in events),
            sum(t // DAY_MS == day and k == PURCHASE for _, t, k in events),
        )
        for day in {t // DAY_MS for _, t, _ in events}
    }


@given(acts)
@settings(max_examples=80, deadline=None)
def test_a_user_comes_back_from_bytes_and_goes_on_alike(events):
    user = learned(events)
    again = state.unpack_user("u:x", state.pack_user(user))
    for one in (user, again):
        one.learn(3, 2 * DAY_MS, PURCHASE)
    assert state.pack_user(again) == state.pack_user(user)


def test_a_bot_with_ten_thousand_interactions_a_minute_stays_within_bounds():
    user = User()
    for number in range(10_000):
        user.learn(number, number * 6, 0)
    assert (user.known_size, user.recent_size, user.days_size) == (MOST_KNOWN, MOST_RECENT, 1)
    assert user.nbytes < 40_000
    assert len(state.pack_user(user)) < 25_000
    assert int(user.known[0, 1]) == 10_000 - MOST_KNOWN


class Row(NamedTuple):
    time_ms: int
    item: int
    count: int
    bought_s: int


def touched(rows: list[Row], most: int, item: int, time_ms: int, bought: bool) -> list[Row]:
    """The table as a sorted list, said as simply as can be."""
    held = next((row for row in rows if row.item == item), Row(time_ms, item, 0, 0))
    bought_s = max(held.bought_s, time_ms // 1000 if bought else 0)
    new = Row(max(held.time_ms, time_ms), item, held.count + 1, bought_s)
    after = sorted([*(row for row in rows if row.item != item), new], key=lambda row: row.time_ms)
    if len(after) > most:
        older = rows[: most - most // KEPT_OF + 1]
        may_leave = [row for row in after if row in older or (row == new and new.time_ms < older[-1].time_ms)]
        after.remove(next((row for row in may_leave if not row.bought_s), may_leave[0]))
    return after


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1000, 60_000), st.booleans()), max_size=200), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_was_not_bought_leaves_a_full_table_first(touches, many_bought):
    most = 2 * KEPT_OF
    table, size, rows = np.zeros((most, 4), np.int64), 0, []
    for item, time_ms, drawn in touches:
        bought = drawn or (many_bought and item % 8 > 0)
        size = touch(table, size, item, time_ms, bought, True)
        rows = touched(rows, most, item, time_ms, bought)
        assert [tuple(row) for row in table[:size].tolist()] == rows


def test_what_somebody_bought_stays_known_whatever_is_looked_at_later():
    user, bought = User(), range(MOST_KNOWN - MOST_KNOWN // KEPT_OF)
    for number in bought:
        user.learn(number, 1_000 + number, PURCHASE)
    for number in range(5_000, 9_000):
        user.learn(number, 10_000 + number, 0)
    known = user.known[:, 1].tolist()
    assert known == [*bought, *range(9_000 - MOST_KNOWN // KEPT_OF, 9_000)]
    again = state.unpack_user("u:x", state.pack_user(user))
    assert np.array_equal(again.known, user.known)
    # Somebody who only buys is known by the newest of it.
    for number in range(10_000, 10_000 + MOST_KNOWN):
        user.learn(number, 50_000 + number, PURCHASE)
    assert user.known[:, 1].tolist() == [*range(10_000, 10_000 + MOST_KNOWN)]


def test_the_item_touched_longest_ago_leaves_a_full_table_and_a_late_one_does_not_enter():
    user = User()
    for number in range(MOST_KNOWN):
        user.learn(number, 1000 + number, 0)
    user.learn(5000, 10, 0)
    assert 5000 not in user.known[:, 1]
    user.learn(5001, 1000 + MOST_KNOWN, 0)
    assert 5001 in user.known[:, 1]
    assert 0 not in user.known[:, 1]
    assert np.all(np.diff(user.known[:, 0]) >= 0)

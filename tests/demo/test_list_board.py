"""What the demo of recommendations counts, on interactions and lists made by hand, and against counting anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.demo import list_board
from infra.demo.list_board import ListBoard
from schemas.events import Interaction, Item, RecommendationList, Recommended

ITEMS = 30
KINDS = ("view", "click", "cart", "purchase")


def item(number):
    categories = [f"c{number % 3}"]
    return Item(event_id=f"i{number}", event_time_ms=1, item_id=f"i{number}", title=f"T{number}", categories=categories)


def act(event_id, user, number, kind="click"):
    return Interaction(event_id=event_id, event_time_ms=1_000, user_id=user, item_id=f"i{number}", kind=kind)


def made(event_id, user, numbers, source="trending"):
    places = [Recommended(f"i{number}", place, 1.0, source, 1.0) for place, number in enumerate(numbers)]
    return RecommendationList(
        event_id=event_id, event_time_ms=1_000, user_id=user, list_id=f"l-{event_id}", items=places
    )


@pytest.fixture
def board():
    return ListBoard(map(item, range(ITEMS)))


def test_what_is_taken_is_looked_for_in_the_list_before_it_not_in_the_one_it_causes(board):
    board.sent(act("a", "u", 5))
    board.answered(made("a", "u", [5, 6]), 1_050.0)
    assert board.picture(0.0).wanted == 0
    board.sent(act("b", "u", 7))
    board.answered(made("b", "u", [7, 8]), 1_050.0)
    board.sent(act("c", "u", 8, "purchase"))
    board.sent(act("d", "u", 8, "view"))
    picture = board.picture(0.0)
    assert (picture.wanted, picture.hits) == (2, 1)


def test_the_list_of_another_user_is_no_hit(board):
    board.answered(made("x", "u", [1, 2]), 1_000.0)
    board.answered(made("y", "v", [3, 4]), 1_000.0)
    board.sent(act("a", "v", 1))
    assert (board.picture(0.0).wanted, board.picture(0.0).hits) == (1, 0)


def test_a_list_of_the_past_is_its_users_and_counts_as_no_answer(board):
    board.answered(made("past", "u", [1, 2]), 1_000.0)
    board.sent(act("a", "u", 2))
    board.answered(made("a", "u", [3]), 1_040.0)
    board.answered(made("a", "u", [3]), 9_000.0)
    picture = board.picture(0.0)
    assert (picture.hits, picture.answered, picture.waiting, picture.p99_ms) == (1, 1, 0, 40.0)
    assert (picture.listed, picture.sources) == (1, {"trending": 1})


def test_the_most_popular_are_those_of_before_and_an_unknown_item_makes_none(board, monkeypatch):
    monkeypatch.setattr(list_board, "LENGTH", 2)
    monkeypatch.setattr(list_board, "POPULAR_EACH", 1)
    for number in (4, 4, 4, 9, 9, 2):
        assert board.happened(act("past", "w", number))
    assert not board.happened(act("past", "w", 999))
    board.answered(made("x", "u", [1]), 1_000.0)
    board.sent(act("a", "u", 9))
    board.sent(act("b", "u", 2))
    board.sent(act("c", "u", 2))
    # By the third, the second has made it popular: 4 has three, 9 three, 2 two.
    assert board.picture(0.0).popular_hits == 1


def test_a_click_shows_the_list_before_and_after_until_it_can_be_read(board):
    board.answered(made("past", "u", [1, 2, 3]), 1_000.0)
    board.sent(act("a", "u", 2))
    board.answered(made("a", "u", [3, 4, 5]), 5_060.0)
    change = board.picture(0.0).change
    assert (change.user_id, change.clicked, change.fresh, change.length) == ("u", "T2 (c2)", 2, 3)
    assert (change.before, change.after) == (["T1 (c1)", "T2 (c2)", "T3 (c0)"], ["T3 (c0)", "T4 (c1)", "T5 (c2)"])
    board.sent(act("b", "u", 7))
    board.answered(made("b", "u", [7]), 5_060.0 + list_board.READING_MS - 1)
    assert board.picture(0.0).change is change
    board.sent(act("c", "u", 8))
    board.answered(made("c", "u", [8]), 5_060.0 + list_board.READING_MS)
    assert board.picture(0.0).change.clicked == "T8 (c2)"


events = st.tuples(
    st.sampled_from("uvw"),
    st.integers(0, ITEMS - 1),
    st.sampled_from(KINDS),
    st.lists(st.integers(0, ITEMS - 1), min_size=2, max_size=6, unique=True),
)


@given(st.lists(events, max_size=40))
def test_the_picture_agrees_with_counting_anew(rows):
    board, lists, wanted, hits, seen, alike = ListBoard(map(item, range(ITEMS))), {}, 0, 0, set(), []
    for number, (user, taken, kind, listed) in enumerate(rows):
        board.sent(act(str(number), user, taken, kind))
        if kind in {"click", "purchase"} and user in lists:
            wanted += 1
            hits += taken in lists[user]
        board.answered(made(str(number), user, listed), 1_010.0)
        lists[user] = listed
        seen |= set(listed)
        pairs = [(a, b) for a in listed for b in listed if a < b]
        alike.append(sum(a % 3 == b % 3 for a, b in pairs) / len(pairs))
    picture = board.picture(0.0)
    assert (picture.wanted, picture.hits, picture.listed, picture.sent) == (wanted, hits, len(seen), len(rows))
    assert picture.alike == pytest.approx(sum(alike) / len(alike) if alike else 0.0)
    assert sum(picture.sources.values()) == sum(len(listed) for *_, listed in rows)

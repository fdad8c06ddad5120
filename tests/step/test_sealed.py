"""Sealed pieces come back as they were, whatever was sealed, changed and dropped in between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import merge

from schemas.errors import StateVersionError
from serving import sealed

KEY = "card:c#1"


@st.composite
def lives(draw):
    """What happens to a history: (pieces sealed, pieces dropped, first of those that changed or None) a batch."""
    return draw(
        st.lists(
            st.tuples(st.integers(0, 40), st.integers(0, 40), st.none() | st.integers(0, 60)), min_size=1, max_size=12
        )
    )


@given(lives())
def test_what_is_read_is_what_is_held_and_nothing_else_is_stored(life):
    state: dict[str, bytes] = {}
    held: dict[int, bytes] = {}
    end = 0
    for batch, (sealed_now, dropped, changed_from) in enumerate(life):
        touched = range(end, end + sealed_now)
        for number in touched:
            held[number] = b"%d:%d" % (number, batch)
        end += sealed_now
        if changed_from is not None and held:
            begin = min(min(held) + changed_from, end)
            for number in range(begin, end):
                held[number] = b"%d:%d" % (number, batch)
            touched = range(min(begin, touched.start), end)
        for number in sorted(held)[:dropped]:
            touched = range(min(number, touched.start), max(number + 1, touched.stop))
            del held[number]
        first = min(held, default=end)
        if touched:
            merge(state, sealed.changes(KEY, range(first, end), touched, lambda number: held[number]))
        assert sealed.grouped(KEY, first, end, state.get) == [held[number] for number in range(first, end)]
        # One entry a complete group, one a piece of the last: nothing that was dropped stays behind.
        complete = end // sealed.GROUP
        groups = {sealed.group_key(n, KEY) for n in range(first // sealed.GROUP, complete)}
        loose = {sealed.piece_key(n, KEY) for n in range(max(first, complete * sealed.GROUP), end)}
        assert state.keys() == groups | loose


def test_a_long_history_is_a_few_entries():
    pieces = range(256)
    writes = sealed.changes(KEY, pieces, pieces, lambda number: b"%d" % number)
    assert len([raw for raw in writes.values() if raw is not None]) == 256 // sealed.GROUP


@pytest.mark.parametrize("gone", ["g0#card:c#1", "16#card:c#1"])
def test_a_missing_entry_is_named(gone):
    state: dict[str, bytes] = {}
    merge(state, sealed.changes(KEY, range(20), range(20), lambda number: b"%d" % number))
    del state[gone]
    with pytest.raises(StateVersionError, match=f"state of {KEY} lacks its chunk {gone.partition('#')[0]}"):
        sealed.grouped(KEY, 0, 20, state.get)


def test_a_group_of_other_pieces_than_those_that_are_left_is_refused():
    state: dict[str, bytes] = {}
    merge(state, sealed.changes(KEY, range(3, 16), range(16), lambda number: b"%d" % number))
    with pytest.raises(StateVersionError, match="another chunk g0"):
        sealed.grouped(KEY, 1, 16, state.get)


@given(lives(), st.integers(1, 5))
def test_what_is_stored_does_not_depend_on_how_events_came_in_batches(life, together):
    one, many = {}, {}
    end = first = 0
    waiting = range(0)
    for number, (sealed_now, dropped, _) in enumerate(life):
        touched = range(end, end + sealed_now)
        end += sealed_now
        gone = min(dropped, end - first)
        if gone:
            touched = range(first, max(first + gone, touched.stop) if touched else first + gone)
        first += gone
        waiting = range(min(waiting.start, touched.start), max(waiting.stop, touched.stop)) if waiting else touched
        if touched:
            merge(one, sealed.changes(KEY, range(first, end), touched, lambda piece: b"%d" % piece))
        if waiting and (number % together == 0 or number == len(life) - 1):
            merge(many, sealed.changes(KEY, range(first, end), waiting, lambda piece: b"%d" % piece))
            waiting = range(0)
    assert one == many

"""The order of the log does not depend on how its partitions happened to be read."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from online_learning.merge import Merge, Position, Record, earliest

STAMPS = st.lists(st.lists(st.integers(0, 50), max_size=15), min_size=1, max_size=4)


def _log(stamps: list[list[int]]) -> list[list[Record]]:
    return [
        [Record(stamp, partition, offset, None, b"") for offset, stamp in enumerate(column)]
        for partition, column in enumerate(stamps)
    ]


def _naive(stamps: list[list[int]]) -> list[tuple[int, int]]:
    """Sorted by the highest stamp so far, partition, offset."""
    keyed = [
        (max(column[: offset + 1]), partition, offset)
        for partition, column in enumerate(stamps)
        for offset in range(len(column))
    ]
    return [(partition, offset) for _, partition, offset in sorted(keyed)]


@given(STAMPS, st.integers(0, 1000))
def test_the_order_is_that_of_a_sort_however_it_was_read(stamps: list[list[int]], seed: int) -> None:
    rng = random.Random(seed)
    log = _log(stamps)
    merge = Merge({partition: Position() for partition in range(len(log))})
    given_out: list[tuple[int, int]] = []
    left = [list(column) for column in log]
    while any(left):
        partition = rng.choice([p for p, column in enumerate(left) if column])
        for _ in range(rng.randint(1, 4)):
            if left[partition]:
                merge.offer(left[partition].pop(0))
        if rng.random() < 0.5:
            given_out += [(r.partition, r.offset) for r in merge.ready()]
        for p, column in enumerate(left):
            if not column and rng.random() < 0.5:
                merge.complete(p, 1000)
    for p in range(len(log)):
        merge.complete(p, 1000)
    given_out += [(r.partition, r.offset) for r in merge.ready()]
    assert given_out == _naive(stamps)
    assert merge.disordered == 0


@given(STAMPS, st.integers(0, 60))
def test_reading_on_from_a_position_gives_the_rest(stamps: list[list[int]], cut: int) -> None:
    whole = _naive(stamps)
    merge = Merge({partition: Position() for partition in range(len(stamps))})
    for column in _log(stamps):
        for record in column:
            merge.offer(record)
    for p in range(len(stamps)):
        merge.complete(p, 1000)
    first = [(r.partition, r.offset) for _, r in zip(range(cut), merge.ready(), strict=False)]
    positions = dict(merge.positions)
    rest = Merge(positions)
    for p, column in enumerate(_log(stamps)):
        for record in column[positions[p].offset :]:
            rest.offer(record)
        rest.complete(p, 1000)
    behind = [(r.partition, r.offset) for r in rest.ready()]
    assert len(first) + len(behind) >= len(whole)
    assert first[: len(whole) - len(behind)] + behind == whole


def test_nothing_is_given_out_while_another_partition_may_bring_something_earlier() -> None:
    merge = Merge({0: Position(), 1: Position()})
    merge.offer(Record(10, 0, 0, None, b""))
    assert list(merge.ready()) == []
    merge.complete(1, 10)
    assert list(merge.ready()) == [], "a record with stamp 10 may still come"
    merge.complete(1, 10.5)
    assert [r.offset for r in merge.ready()] == [0]


def test_a_record_that_comes_after_a_later_one_was_given_out_is_counted() -> None:
    merge = Merge({0: Position(), 1: Position()})
    merge.offer(Record(10, 0, 0, None, b""))
    merge.complete(1, 11)
    assert len(list(merge.ready())) == 1
    merge.offer(Record(5, 1, 0, None, b""))
    merge.complete(0, 100)
    assert len(list(merge.ready())) == 1
    assert merge.disordered == 1


def test_several_learners_start_where_the_earliest_stands() -> None:
    assert earliest([{0: Position(5, 1), 1: Position(7, 2)}, {0: Position(3, 1)}], [0, 1]) == {
        0: Position(3, 1),
        1: Position(),
    }

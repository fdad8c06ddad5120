"""Why nothing was found is told to every request that asks, whatever others are told at the same time."""

from __future__ import annotations

import pytest
from api_builders import NOW_MS

from schemas.control import RecommendPolicy
from schemas.errors import StoreError
from serving.api.finder import Finder
from serving.api.readable import Readable
from serving.recommend.request import Request
from serving.stores.memory_items import MemoryItems
from serving.stores.memory_lists import MemoryLists

DOWN = StoreError("Redis at x: refused; see `sluice doctor`")


class Down:
    """Stores that do not answer."""

    def __getattr__(self, _):
        def call(*_):
            raise DOWN

        return call


def test_why_nothing_was_found_is_told_by_an_error_of_its_own_each_time():
    finder = Finder(Down(), RecommendPolicy, lambda: NOW_MS)
    raised = []
    for _ in range(2):
        with pytest.raises(StoreError, match="Redis at x: refused") as told:
            finder.recommend("ann", Request(3))
        raised.append(told.value)
    assert raised[0] is not raised[1]
    assert DOWN not in raised


def test_a_store_that_answers_another_thread_meanwhile_is_no_failure_without_a_reason():
    class Raced(Finder):
        """The failure is gone as soon as it was looked at."""

        @property
        def _failure(self):
            return self.failures.pop() if self.failures else None

        @_failure.setter
        def _failure(self, _):
            self.failures = []

    empty = Readable(MemoryLists(lambda: NOW_MS), MemoryItems(lambda: NOW_MS), lambda _: None)
    finder = Raced(empty, RecommendPolicy, lambda: NOW_MS)
    finder.failures = [DOWN]
    with pytest.raises(StoreError, match="Redis at x: refused"):
        finder._say_why()

"""Watching a store: each watched event is found once, or not at all."""

import time

from infra.bench import watch as watching
from infra.bench.watch import WATCHED_EVERY, watch, watched


def test_what_is_readable_is_found_and_what_never_comes_is_not(monkeypatch):
    monkeypatch.setattr(watching, "PATIENCE_S", 0.05)
    rate, count, begin_ms = 10_000.0, 10 * WATCHED_EVERY, time.time() * 1000
    lost = {str(WATCHED_EVERY * 3), str(WATCHED_EVERY * 7)}

    def times(users):
        # One is there from long before its event: it was written by an earlier one.
        return [None if user in lost else 0 if user == "0" else round(begin_ms) + 10**6 for user in users]

    found = watch(times, str, begin_ms, rate=rate, count=count)
    assert len(found) == watched(count) - 3
    assert all(late >= 0 for late in found)


def test_every_watched_number_is_counted():
    for count in (1, WATCHED_EVERY - 1, WATCHED_EVERY, WATCHED_EVERY + 1, 5 * WATCHED_EVERY):
        assert watched(count) == len(range(0, count, WATCHED_EVERY))

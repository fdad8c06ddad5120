"""The client of the endpoint: paced from a stated instant, and asking for all kinds of users."""

from __future__ import annotations

import time

from infra.bench.endpoint import RATE, Asking


def test_requests_are_of_random_users_from_the_start_of_the_load_on():
    asked: list[tuple[float, str]] = []

    def ask(user: str) -> str:
        asked.append((time.time(), user))
        return "list" if len(asked) % 2 else "trending"

    begin_s = time.time() + 0.1
    found = Asking(ask, [f"u{n}" for n in range(1_000)]).paced(begin_s * 1000, 40)
    assert asked[0][0] >= begin_s - 0.01
    assert asked[-1][0] >= begin_s + 39 / RATE - 0.01
    assert (found.answers.count, found.from_list) == (40, 20)
    assert found.users == len({user for _, user in asked}) > 30
    assert [user for _, user in asked] != sorted(user for _, user in asked)

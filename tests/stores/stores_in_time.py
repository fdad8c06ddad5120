"""Stores for which a test lets time pass, so that none waits for a time to live to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from store_builders import NOON_MS

S = TypeVar("S")


class SteppedClock:
    """Wall time in ms that stands still until it is stepped."""

    def __init__(self) -> None:
        self._now_ms = NOON_MS

    def __call__(self) -> int:
        return self._now_ms

    def step(self, ms: int) -> None:
        self._now_ms += ms


@dataclass(frozen=True)
class Stores(Generic[S]):
    """Makes an empty store when it is called; `age` lets so many ms pass for all that it made."""

    make: Callable[..., S]
    age: Callable[[int], None]

    def __call__(self, *given: Any, **named: Any) -> S:
        return self.make(*given, **named)

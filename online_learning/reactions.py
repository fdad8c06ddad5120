"""What a learner does when its errors drift: policies by name, which a definition lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from online_learning.definition import ReactionName
from online_learning.learner import Learner

RAISED: Final = 4.0


class Reacting(Protocol):
    """What a reaction may change."""

    learner: Learner

    def start_background(self) -> None:
        """Train a fresh learner beside the present one; it takes over once it is better."""

    def start_fresh(self) -> None:
        """Replace the learner by a fresh one."""


def _raise_rate(one: Reacting) -> bool:
    return one.learner.raise_rate(RAISED)


def _reset(one: Reacting) -> bool:
    """A tree of a forest where there is one, else the whole learner."""
    if not one.learner.reset_part():
        one.start_fresh()
    return True


def _background(one: Reacting) -> bool:
    one.start_background()
    return True


def _alert(_: Reacting) -> bool:
    """The loop tells a person of every drift that lists it."""
    return True


REACTIONS: Final[dict[ReactionName, Callable[[Reacting], bool]]] = {
    "raise_rate": _raise_rate,
    "reset": _reset,
    "background": _background,
    "alert": _alert,
}


def react(one: Reacting, names: tuple[ReactionName, ...]) -> str:
    """Ask each reaction in order; the names of those that did something."""
    return "+".join(name for name in names if REACTIONS[name](one))

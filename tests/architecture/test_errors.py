"""The error tree as drawn is the error tree as it is."""

from __future__ import annotations

import inspect
import re

import pytest

from schemas import errors

CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}


def drawn() -> dict[str, str]:
    """Class -> base, from the picture in the module's docstring."""
    found, path = {}, []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([│ ]*(?:[├└]── )?)(\w+Error)\b", line)
        if match:
            depth = len(match[1]) // 4
            path = [*path[:depth], match[2]]
            found[match[2]] = path[-2] if depth else "Exception"
    return found


def test_every_class_stands_in_the_picture_under_its_base():
    assert drawn() == {name: kind.__base__.__name__ for name, kind in CLASSES.items()}


def test_every_class_says_in_a_sentence_what_is_wrong():
    assert all((kind.__doc__ or "").endswith(".") for kind in CLASSES.values())


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (errors.UnreadableError, "unreadable"),
        (errors.InvalidError, "invalid"),
        (errors.UnknownVersionError, "unknown_version"),
    ],
)
def test_an_event_error_carries_the_reason_of_its_dead_letter(kind, reason):
    assert kind("text").reason == reason
    assert kind("text", "too_large").reason == "too_large"
    assert kind.reason == reason

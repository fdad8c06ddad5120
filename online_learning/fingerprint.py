"""What a learner's definition comes to, as one hash: the same as long as the same examples give the same learner."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import Any

from online_learning.definition import Definition

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


@lru_cache
def fingerprint(one: Definition, names: tuple[str, ...]) -> str:
    """Of what guards the learner, and of a fresh one: its rates, depths and seeds are what it begins with.

    The description has no part in it. Needs what pickle needs.
    """
    told = (
        (one.task, one.feature_set, one.kind, one.metric, one.detector, one.reactions),
        (one.features, one.without, one.snapshot_every, one.replay, one.seed),
        one.learner(names),
    )
    digest = hashlib.sha256()
    for word in _words(told, {}):
        digest.update(word.encode() + b"\0")
    return digest.hexdigest()


def _words(value: Any, seen: dict[int, tuple[int, Any]]) -> Iterator[str]:
    """The value's parts in an order that no run changes. `seen` keeps objects alive, so that ids stay theirs."""
    if isinstance(value, _PLAIN):
        yield f"{type(value).__name__} {value!r}"
    elif isinstance(value, type | FunctionType | BuiltinFunctionType):
        yield f"{value.__module__}.{value.__qualname__}"
    elif isinstance(value, set | frozenset):
        yield f"{type(value).__name__} {sorted(' '.join(_words(one, seen)) for one in value)}"
    elif type(value) in {tuple, list}:
        yield f"{type(value).__name__} {len(value)}"
        for one in value:
            yield from _words(one, seen)
    elif type(value) is dict:
        yield f"dict {len(value)}"
        for pair in value.items():
            yield from _words(pair, seen)
    elif id(value) in seen:
        yield f"again {seen[id(value)][0]}"
    else:
        seen[id(value)] = (len(seen), value)
        # What pickle keeps of it; the rest of its parts may be iterators.
        made = value.__reduce_ex__(4)
        yield from ([made] if isinstance(made, str) else [])
        for part in () if isinstance(made, str) else made:
            yield from _words(list(part) if isinstance(part, Iterator) else part, seen)

"""Stored features as of a later time: what a window held is gone once the window has passed (PUSH-2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from serving.stores.online import StoredFeatures


class AsOf(NamedTuple):
    """The features at that time, and the names of those that read as defaults because they have expired."""

    found: StoredFeatures
    expired: list[str]


def as_of(found: StoredFeatures, defaults: Mapping[str, float], lives_s: Mapping[str, int], at_ms: int) -> AsOf:
    """The stored features as they are at `at_ms`, if the entity had no event since.

    `defaults` and `lives_s`, the seconds that a value holds after its event, are by feature name, the first in the
    order of the stored values. A feature without a life holds as long as it is stored. Values of an event after
    `at_ms` stay as they are.
    """
    if found.event_time_ms is None:
        return AsOf(found, [])
    age_ms = at_ms - found.event_time_ms
    # A trailing window of W does not hold what happened W ago.
    expired = [name for name in defaults if name in lives_s and age_ms >= lives_s[name] * 1000]
    if not expired:
        return AsOf(found, expired)
    gone = frozenset(expired)
    values = [
        default if name in gone else value
        for (name, default), value in zip(defaults.items(), found.values, strict=True)
    ]
    return AsOf(msgspec.structs.replace(found, values=values), expired)

"""The bodies of the API's answers, as structs: JSON and OpenAPI both follow from them."""

from __future__ import annotations

from typing import Literal

import msgspec
from fastapi import Response

from schemas.events import Decision, Id, RecommendationList
from serving.recommend.request import Origin
from serving.stores.online import RecentDecision


class Refusal(msgspec.Struct, frozen=True):
    """Any answer that is not 2xx: what is wrong in one line, and the way out."""

    error: str
    way_out: str


class FeaturesAnswer(msgspec.Struct, frozen=True):
    """The features of one entity by name.

    `origin` says whether they were stored, are the defaults of an entity that is not known, or the defaults
    that a caller asked for while the store is down. `age_ms` is the time since the newest event, null for defaults.
    `expired` names what was stored and holds no longer: a window that has passed since that event reads as empty.
    """

    entity: str
    id: Id
    feature_set: str
    origin: Literal["stored", "default", "fallback"]
    event_time_ms: int | None
    age_ms: int | None
    as_of_ms: int
    expired: list[str]
    features: dict[str, float]


class DecisionsAnswer(msgspec.Struct, frozen=True):
    """Decisions of a user in [since_ms, until_ms), newest first; features and timings are read by decision id.

    `next_until` is the `until` that leads to older ones, null when there are none. A page covers at most 400 days.
    """

    user_id: Id
    since_ms: int
    until_ms: int
    decisions: list[Decision]
    next_until: int | None


class RecentAnswer(msgspec.Struct, frozen=True):
    """The last decisions of a user from the online store, newest first."""

    user_id: Id
    decisions: list[RecentDecision]


class OnDemandDecision(Decision, frozen=True, kw_only=True, omit_defaults=True):
    """A decision that the stream did not take: it has no source, counts nowhere, and is not stored."""

    in_stream: Literal[False]


class RecommendedItem(msgspec.Struct, frozen=True):
    """One item: `position` is its place here, `listed_position` in the user's list, null when it is not from there.

    In feedback name the `position`, for it says how well an item was seen, and the `list_id` where there is a
    `listed_position`. `price` is null, and `title` and `categories` are empty, for an item whose entry is not known.
    """

    item_id: str
    position: int
    score: float
    source: str
    origin: Origin
    listed_position: int | None
    title: str
    price: float | None
    categories: list[str]


class RecommendationsAnswer(msgspec.Struct, frozen=True):
    """Items for a user, best first. `origin` is the part that gave the first of them, `none` when there is none.

    `event_time_ms` is of the newest event which that part knew, and `age_ms` the time since. `list_id` is empty when
    no item is from the user's list. `cached_ms` is null, or how long ago the answer was read from the store, which is
    down now.
    """

    user_id: Id
    origin: Origin | Literal["none"]
    list_id: str
    event_time_ms: int | None
    age_ms: int | None
    cached_ms: int | None
    items: list[RecommendedItem]


class SimilarAnswer(msgspec.Struct, frozen=True):
    """Items similar to one, best first; the other fields as in RecommendationsAnswer."""

    item_id: Id
    origin: Origin | Literal["none"]
    event_time_ms: int | None
    age_ms: int | None
    cached_ms: int | None
    items: list[RecommendedItem]


class ListsAnswer(msgspec.Struct, frozen=True):
    """Lists of a user in [since_ms, until_ms), newest first, without the features of their items.

    `event_id` of a list is the interaction that called for it. `next_until` is the `until` that leads to older ones,
    null when there are none.
    """

    user_id: Id
    since_ms: int
    until_ms: int
    lists: list[RecommendationList]
    next_until: int | None


class TakenAnswer(msgspec.Struct, frozen=True):
    """The id and the time under which an interaction or a label is in the log."""

    event_id: Id
    event_time_ms: int


class ReplayAnswer(msgspec.Struct, frozen=True):
    """The topic to which a dead letter's record was played back; null when it was so before, or must stay.

    `left` says why it stays, and the way out.
    """

    topic: str | None
    replayed_before: bool = False
    left: str | None = None


class StoreHealth(msgspec.Struct, frozen=True):
    """Whether a store answers, and what it said if not."""

    up: bool
    error: str | None = None


class FreshnessAnswer(msgspec.Struct, frozen=True):
    """Milliseconds since the newest event that was written happened, and since something was last written."""

    event_age_ms: int
    written_age_ms: int


class Health(msgspec.Struct, frozen=True):
    """`down` without the online store, `degraded` without the history store or a model, else `ok`.

    `lists` is the freshness of recommendation lists, as `freshness` is of features and decisions.
    """

    status: Literal["ok", "degraded", "down"]
    stores: dict[str, StoreHealth]
    freshness: FreshnessAnswer | None
    lists: FreshnessAnswer | None
    model: str
    model_loaded: bool


def answer(body: msgspec.Struct, status: int = 200) -> Response:
    """The struct as JSON."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")

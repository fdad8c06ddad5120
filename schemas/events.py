"""Every event that crosses a topic. Times are event times in milliseconds since the epoch, money is in major units.

A field that is added gets a default, so that older bytes stay readable; a field is never renamed or given
another meaning. `schema_version` counts the versions of one event type.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from schemas.online_scores import OnlineScore, OnlineScores

ID_CHARS: Final = 64
Id = Annotated[str, Meta(min_length=1, max_length=ID_CHARS)]
TimeMs = Annotated[int, Meta(ge=0, lt=4_102_444_800_000, description="Milliseconds since the epoch, before 2100.")]
Amount = Annotated[float, Meta(ge=0, le=10_000_000, description="Major units; windows keep it to the cent.")]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Country = Annotated[str, Meta(min_length=2, max_length=2, pattern="^[A-Z]{2}$")]
Word = Annotated[str, Meta(max_length=64)]


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every event carries. Unknown fields are ignored, so a newer producer does not stop an older reader."""

    VERSION: ClassVar[int] = 1
    MAX_BYTES: ClassVar[int] = 256 * 1024

    event_id: Id
    event_time_ms: TimeMs
    schema_version: Annotated[int, Meta(ge=1, le=1000)] = 1


class Transaction(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A card payment that waits for a decision. The record key is `user_id`."""

    user_id: Id
    amount: Amount
    merchant_id: Id
    currency: Annotated[str, Meta(min_length=3, max_length=3)] = "USD"
    category: Word = ""
    merchant_country: Country | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    utc_offset_min: Annotated[int, Meta(ge=-840, le=840)] = 0
    device_id: Id | None = None
    card_id: Id | None = None
    ip: Word = ""
    segment: Word = ""


class Interaction(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a shopper did with an item. The record key is `user_id`.

    A `view` with `position` is an item that a list showed, the first place being 0; one without is a page that was
    opened. `value` is pieces of a purchase, stars of a rating, seconds of time spent. `context` may hold `segment`.
    """

    user_id: Id
    item_id: Id
    kind: Literal["view", "click", "cart", "purchase", "rating", "time_spent"]
    value: float = 0.0
    session_id: Word = ""
    position: Annotated[int, Meta(ge=0)] | None = None
    list_id: Word = ""
    context: dict[str, str] = {}

    @property
    def impression(self) -> bool:
        """Whether a list showed the item, and its user did nothing yet."""
        return self.kind == "view" and self.position is not None


class Item(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An item of the catalogue as it is from now on: a later event replaces it whole. The record key is `item_id`.

    `stock` is None where nobody counts it. `flags` are words that rules know, such as `banned`. With a `created_ms` of
    0, or later than the event itself, the item counts as made when it was first heard of.
    """

    item_id: Id
    title: Annotated[str, Meta(max_length=300)] = ""
    categories: list[Word] = []
    price: Annotated[float, Meta(ge=0)] = 0.0
    created_ms: TimeMs = 0
    stock: Annotated[int, Meta(ge=0)] | None = None
    flags: list[Word] = []


class Label(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a transaction turned out to be. `event_time_ms` is when that became known, not when it was paid."""

    user_id: Id
    transaction_id: Id
    transaction_time_ms: TimeMs
    merchant_id: Id | None = None
    is_fraud: bool
    source: Literal["chargeback", "review", "confirmed", "dispute", "timeout"] = "chargeback"


class SourcePosition(msgspec.Struct, frozen=True):
    """Where the input record lies: enough to read it again."""

    topic: str
    partition: int
    offset: int


class RuleHit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule that fired: its name, what it asked for, and the observed value against its limit."""

    rule: str
    action: str
    observed: float = 0.0
    limit: float = 0.0


DecisionKind = Literal["APPROVE", "REVIEW", "CHALLENGE", "BLOCK"]
LabelSource = Literal["chargeback", "review", "confirmed", "dispute", "timeout", "click", "conversion"]
RankingKind = Literal["similar", "segment", "trending"]


class Decision(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one transaction. `event_id` is the transaction's: consumers deduplicate by it.

    `features` follow the vector order of `feature_set` (docs/features.md). On a repeat features, rules and versions
    are empty: the first decision states them. (A repeat whose first decision is forgotten is decided anew, in full.)
    `timings_us` are microseconds by stage. `source` is None when the decision is not part of the stream.
    `online` is by `learner@examples`, a shadow of the registry by `name@version`; where one of them has a part in the
    score, `champion_score` is what `model` said.
    """

    user_id: Id
    merchant_id: Id
    amount: float
    decision: DecisionKind
    score: float
    reasons: list[str] = []
    rules: list[RuleHit] = []
    features: list[float] = []
    feature_set: str = ""
    model: str = ""
    rules_version: str = ""
    segment: str = ""
    repeat: bool = False
    late: bool = False
    lateness_ms: int = 0
    source: SourcePosition | None = None
    arrival_ms: int = 0
    timings_us: dict[str, int] = {}
    online: dict[str, OnlineScore] = {}
    champion_score: float | None = None


class EntityFeatures(msgspec.Struct, frozen=True, omit_defaults=True):
    """The features of one entity after an event, and the packed state they came from.

    `event_time_ms` is of the entity's newest event. `values` follow the catalogue order of the entity; they are
    empty when the event was out of order, and then the values before stay the newest. `state` maps a state key to
    its new bytes, None = deleted.
    """

    entity: str
    entity_id: str
    event_time_ms: int
    values: list[float]
    state: dict[str, bytes | None] = {}


class FeatureUpdate(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a few transactions changed: the newest features of entities of one kind that they touched.

    Id and time are of the last of those transactions. The record key is the kind and a number that is the same for all
    updates of an entity, so that they keep their order. `user_id` is of the time when each transaction had an update.
    """

    feature_set: str
    entities: list[EntityFeatures]
    user_id: str = ""


class LateEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A copy of an event that came too late to touch its windows. `event_time_ms` is the late event's own."""

    lateness_ms: int
    source: SourcePosition
    raw: bytes


class DeadLetter(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A record that could not be processed, with the reason and where it came from.

    `event_time_ms` is the time of its arrival on the broker, the only trustworthy time it has. A letter with
    `replayed_ms` is a mark without `raw`: the letter of the same id was played back to its topic at that time.
    `raw_bytes` and `key_bytes` are 0 where `raw` and `key` are whole; where they hold only the beginning of something
    very long, they say how long it was.
    """

    reason: str
    detail: str
    job: str
    source: SourcePosition
    key: bytes | None
    raw: bytes
    replayed_ms: TimeMs = 0
    raw_bytes: Annotated[int, Meta(ge=0)] = 0
    key_bytes: Annotated[int, Meta(ge=0)] = 0


class Recommended(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place of a list: `position` counts from 0, `score` is the ranker's, `source` brought the item in first.

    `propensity` is the probability that the item stands at this position, given the places before it. `features`
    follow the vector order of the list's `feature_set`. Where an online model has a part in the order, `score` is the
    common one, and `champion_score` what `ranker` said.
    """

    item_id: str
    position: int
    score: float
    source: str
    propensity: float
    features: list[float] = []
    champion_score: float | None = None


class RecommendationList(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A user's new list. `event_id` is that of the interaction that called for it: consumers deduplicate by it.

    `list_id` is what later interactions with its items name; `online` is by `learner@examples`, `variants` by
    experiment. The record key is `user_id`.

    One with an `origin` is what the API showed, and from what: nobody's new list. `of_list` is the list that it showed
    items of, `event_time_ms` when; an item that is not from that list has propensity 1.

    `bought` are the items that its user bought last and is not offered again, the newest first: a list is filled up
    without them.
    """

    user_id: Id
    list_id: Id
    items: list[Recommended]
    feature_set: str = ""
    ranker: str = ""
    embeddings: str = ""
    policy: str = ""
    segment: str = ""
    new_user: bool = False
    source: SourcePosition | None = None
    online: dict[str, OnlineScores] = {}
    variants: dict[str, str] = {}
    origin: Word = ""
    of_list: Word = ""
    bought: list[str] = []


class RankedItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place of a ranking: `score` is at most 1 for the best place, `source` speaks most for the item."""

    item_id: str
    score: float
    source: str = ""


class Ranking(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Items in order, best first: those similar to the item `name`, popular in the segment `name`, or trending.

    `event_time_ms` is of the newest event that it counts; a later ranking of the same kind and name replaces it whole.
    The record key is `kind/name`.
    """

    kind: RankingKind
    name: Id
    items: list[RankedItem]
    embeddings: str = ""


class LabelledExample(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What a logged decision, or a place of a logged list, turned out to be, with the features that were used then.

    `event_time_ms` is when the label became known, `decided_ms` when the answer was given; the delay is between them.
    `score` is that of `model` alone, as the answer states it. Where a learner decided alone in the model's place,
    `champion` is its name and `champion_score` what it said. `example_id` is the same for all labels of one answer:
    a later one replaces what was learned before, and says with `replaced` which label that was. A time-out names its
    policy as `maturity`, and weighs as many answers as its sample stands for. `decision` is what was done with a
    payment, empty for a list and in older examples. `shadows` is what those said of a payment that had no part in its
    score, by the labels of `Decision.online`. The record key is `user_id`.
    """

    task: Word
    example_id: Id
    user_id: Id
    decided_ms: TimeMs
    delay_ms: int
    label: float
    source: LabelSource
    features: list[float]
    feature_set: str
    score: float = 0.0
    model: str = ""
    item_id: Word = ""
    position: int | None = None
    propensity: float | None = None
    amount: float = 0.0
    segment: str = ""
    maturity: Word = ""
    replaced: float | None = None
    weight: Annotated[float, Meta(gt=0)] = 1.0
    champion: Word = ""
    champion_score: float | None = None
    replaced_weight: Annotated[float, Meta(gt=0)] = 1.0
    decision: Word = ""
    shadows: dict[str, float] = {}


class Snapshot(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A learner's model as plain data. The record key is `learner`; the newest snapshot of a learner is in force.

    `kind` names the type in schemas/snapshots.py that `payload` is JSON of. `examples` counts what was learned from,
    and orders the snapshots of one learner. `event_time_ms` is of the last example. `opponent` is who the learner was
    compared with: a model of the registry (`name@version`) or the learner that decides alone.
    """

    MAX_BYTES: ClassVar[int] = 1000 * 1000

    learner: Id
    task: Word
    kind: Word
    examples: Annotated[int, Meta(ge=0)]
    feature_set: str
    payload: msgspec.Raw
    sha256: str
    metrics: dict[str, float] = {}
    opponent: str = ""


ControlKind = Literal[
    "rule",
    "blocklist",
    "policy",
    "model",
    "flag",
    "audit",
    "recommend_policy",
    "experiment",
    "maturity",
    "online_model",
]


class ControlRecord(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A change of rules, thresholds, lists, flags or model pointers. The record key is `kind/name`.

    `payload` is JSON of the type that `schemas.control` names for `kind`; `null` deletes the entry.
    """

    kind: ControlKind
    name: Id
    payload: msgspec.Raw
    author: Word = ""
    note: Annotated[str, Meta(max_length=1000)] = ""

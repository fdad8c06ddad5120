"""What the control topic carries: the payload type of each kind of control record."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.errors import InvalidError
from schemas.events import ControlRecord, DecisionKind, Id
from schemas.models import FRAUD, Task

Score = Annotated[float, Meta(ge=0, le=1)]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule: what it looks at (`kind` names a file in serving/rules), its limit, and what it asks for."""

    kind: str
    action: DecisionKind
    reason: str
    parameters: dict[str, float | str] = {}
    enabled: bool = True
    segment: str = ""


class Blocklist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ids that are refused. The record's name is free; `entity` says which id is compared."""

    entity: Literal["user", "merchant", "device", "card", "ip", "country"]
    ids: list[Id]


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score strictly above a threshold gets its decision (FRD-1)."""

    review: Score = 0.5
    challenge: Score = 0.7
    block: Score = 0.9

    def __post_init__(self) -> None:
        if not self.review <= self.challenge <= self.block:
            raise ValueError("thresholds must rise: review <= challenge <= block")


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds for everybody, and for single segments in their place."""

    thresholds: Thresholds = Thresholds()
    segments: dict[str, Thresholds] = {}

    def of(self, segment: str) -> Thresholds:
        """The thresholds of that segment, everybody's when it has none of its own."""
        return self.segments.get(segment, self.thresholds)


Share = Annotated[float, Meta(ge=0, le=1)]
Quota = Annotated[int, Meta(ge=0, le=1000)]


class SourceShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many candidates a source may bring, and what its scores weigh before the ranker; quota 0 switches it off."""

    quota: Quota
    weight: Annotated[float, Meta(ge=0)] = 1.0


Kind = Literal["view", "click", "cart", "purchase", "rating", "time_spent"]


class KindWeight(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an interaction of a kind counts in trends, popularity, neighbours and training.

    One whose value is below `least` counts nothing; one below `whole` counts in proportion. Both None: values say
    nothing. What counts nothing is still known of its user: it speaks for no other item, and rules may leave it out.
    """

    weight: Annotated[float, Meta(ge=0, le=100)]
    least: float | None = None
    whole: Annotated[float, Meta(gt=0)] | None = None


class RecommendPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How lists are made (REC-1, REC-5, REC-7). `sources` changes what serving/recommend/sources/ states as default.

    `candidates` -> `ranked` -> `length` is the funnel. `rules` name files of serving/recommend/rules. A user with
    fewer than `new_user_events` interactions is new. A new item's boost halves every `new_item_days`. Something
    bought is offered again `rebuy_hours` later, never when that is None: while it is among the 1,024 items that are
    known of a user, of which those without a purchase are forgotten first. `kinds` changes what
    serving/recommend/interest.py states as default. Beyond `most_per_minute` interactions in a minute of event time a
    user has lists, but teaches the shop nothing; 0 = no limit. Without `answer_impressions` what a list showed is
    learned and gets no list of its own.
    """

    sources: dict[str, SourceShare] = {}
    candidates: Annotated[int, Meta(ge=20, le=1000)] = 1000
    ranked: Annotated[int, Meta(ge=20, le=200)] = 100
    length: Annotated[int, Meta(ge=1, le=20)] = 20
    diversity: Share = 0.3
    explore: Share = 0.1
    explore_new_user: Share = 0.5
    new_user_events: Annotated[int, Meta(ge=0, le=1000)] = 5
    new_item_boost: Share = 0.1
    new_item_days: Annotated[float, Meta(gt=0)] = 7.0
    rules: tuple[str, ...] = ("stock", "banned", "bought")
    banned_flags: tuple[str, ...] = ("banned",)
    rebuy_hours: Annotated[float, Meta(ge=0)] | None = None
    kinds: dict[Kind, KindWeight] = {}
    # Users keep their 64 newest interactions: more can not be counted.
    most_per_minute: Annotated[int, Meta(ge=0, le=64)] = 60
    answer_impressions: bool = True


# Who is in no variant of an experiment.
CONTROL_VARIANT = "control"


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How lists are made for `percent` of the users: `sources` and what is not None replace the policy's."""

    name: Id
    percent: Annotated[int, Meta(ge=0, le=100)]
    sources: dict[str, SourceShare] = {}
    diversity: Share | None = None
    explore: Share | None = None
    explore_new_user: Share | None = None
    new_item_boost: Share | None = None


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Users split over variants, in their order (serving/experiments.py); the record's name is the experiment's id.

    Those that no variant takes are in the variant `control`, which changes nothing.
    """

    variants: Annotated[tuple[Variant, ...], Meta(min_length=1, max_length=10)]

    def __post_init__(self) -> None:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names) or CONTROL_VARIANT in names:
            raise ValueError(f"variants need names of their own, other than {CONTROL_VARIANT!r}")
        if sum(variant.percent for variant in self.variants) > 100:
            raise ValueError("the percents of the variants add up to more than 100")


class ModelPointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which artifact answers for a task: a folder of the registry, and the hash its files must have.

    A fraud model's is written without its task, as jobs read it that were started before there were tasks.
    """

    name: str
    version: str
    stage: str
    path: str
    sha256: str
    task: Task = FRAUD


class Maturity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When an answer that nobody spoke of counts as a negative: `days` after it, where labels of `source` are awaited.

    Of the answers a `share` is followed, and stands for all. Of decisions only those of the kinds in `decisions` are:
    a payment that was refused can have no chargeback.
    """

    source: Literal["chargeback", "click", "conversion"]
    days: Annotated[float, Meta(gt=0, le=90)]
    share: Share = 0.01
    decisions: tuple[DecisionKind, ...] = ("APPROVE", "CHALLENGE")


OnlineMode = Literal["shadow", "member", "champion", "off"]


class OnlineModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the newest snapshot of a learner may do for a task. The record's name is free.

    A `shadow` scores and is told of; a `member` has its part in the score beside the champion; a `champion` gives the
    score alone; `off` is not asked. `weight` is a member's part, None = by recent performance
    (`serving/online/weights.py`).
    """

    learner: Id
    mode: OnlineMode = "shadow"
    task: Literal["fraud", "recommend"] = "fraud"
    weight: Share | None = None


# A flag of this name and a job says that somebody stopped it; the record's time is when.
STOPPED = "stopped-"


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A switch."""

    enabled: bool


class Audit(msgspec.Struct, frozen=True):
    """What somebody changed: kept on the topic so that the log tells the whole story."""

    action: str
    detail: dict[str, str]


Payload = (
    Rule | Blocklist | Policy | RecommendPolicy | Experiment | ModelPointer | Maturity | OnlineModel | Flag | Audit
)

PAYLOADS: dict[str, type[Payload]] = {
    "rule": Rule,
    "blocklist": Blocklist,
    "policy": Policy,
    "recommend_policy": RecommendPolicy,
    "experiment": Experiment,
    "model": ModelPointer,
    "maturity": Maturity,
    "online_model": OnlineModel,
    "flag": Flag,
    "audit": Audit,
}


def payload(record: ControlRecord) -> Payload | None:
    """The typed payload of a control record, None for a deletion.

    Raises InvalidError that names the record and the key.
    """
    try:
        return msgspec.json.decode(record.payload, type=PAYLOADS[record.kind] | None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"control {record.kind}/{record.name}: {error}") from error

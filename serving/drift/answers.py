"""What is read of decisions and lists for watching them: few fields, so that reading costs little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np

from schemas.errors import InvalidError, UnreadableError
from serving.drift.grid import Floats
from serving.features.catalogue import FEATURE_SET
from serving.features.catalogue import NAMES as FRAUD_NAMES
from serving.inflight import Record
from serving.recommend.features.catalogue import FEATURE_SET as RECOMMEND_SET
from serving.recommend.features.catalogue import NAMES as RECOMMEND_NAMES

# Names of the values of a vector, by its feature set.
FEATURE_SETS = {FEATURE_SET: FRAUD_NAMES, RECOMMEND_SET: RECOMMEND_NAMES}
# An answer without a model is watched under this name.
NO_MODEL = "none"
# Places of a list that are watched: the ones that are seen.
PLACES = 3


class Decided(msgspec.Struct, gc=False):
    """A decision, as far as it is watched. A feature that is null is no number."""

    event_id: str
    event_time_ms: int
    user_id: str
    merchant_id: str
    amount: float
    decision: str
    score: float | None
    features: list[float | None] = []
    feature_set: str = ""
    model: str = ""
    segment: str = ""
    repeat: bool = False


class Place(msgspec.Struct, gc=False):
    """A place of a list, as far as it is watched."""

    item_id: str
    score: float | None
    source: str
    features: list[float | None] = []


class Listed(msgspec.Struct, gc=False):
    """A list, as far as it is watched."""

    event_time_ms: int
    user_id: str
    items: list[Place]
    feature_set: str = ""
    ranker: str = ""
    segment: str = ""
    origin: str = ""


@dataclass
class Answers:
    """n answers of one model and segment within one window; `rows` are features and then the score.

    `unread` counts those whose vector has not the shape of its feature set: they are in nothing else.
    """

    names: tuple[str, ...]
    vectors: list[list[float | None]]
    scores: list[float | None]
    kinds: list[str]
    heavy: list[str]
    unread: int = 0

    def rows(self) -> Floats:
        """The vectors, shape (n, features), what is null as nan."""
        return np.array(self.vectors, np.float64).reshape(len(self.vectors), len(self.names))

    def score_column(self) -> Floats:
        """The scores, shape (n,)."""
        return np.array(self.scores, np.float64)


_T = TypeVar("_T")

_decided = msgspec.json.Decoder(Decided)
_listed = msgspec.json.Decoder(Listed)


def read_decision(record: Record) -> Decided:
    """The watched part of a decision. Raises UnreadableError or InvalidError."""
    return _read(_decided, record)


def read_list(record: Record) -> Listed:
    """The watched part of a list. Raises UnreadableError or InvalidError."""
    return _read(_listed, record)


def _read(decoder: msgspec.json.Decoder[_T], record: Record) -> _T:
    try:
        return decoder.decode(record.value or b"")
    except msgspec.ValidationError as error:
        raise InvalidError(f"{record.topic}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(f"{record.topic}: {error}") from error

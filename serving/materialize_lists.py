"""The materialize step of lists: from the topic `recommendations` to what the stores are to write. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from schemas import codec
from schemas.events import RecommendationList
from schemas.topics import RECOMMENDATIONS
from serving import materialize_read
from serving.inflight import Output, Record
from serving.stores.lists import check_list


class ListWrites(msgspec.Struct, frozen=True):
    """What one batch asks for: all `lists`, in the order of the log; `rejects` have a reason each."""

    lists: list[RecommendationList] = []
    rejects: list[Output] = []
    reasons: list[str] = []

    @property
    def newest(self) -> list[RecommendationList]:
        """The newest list of each user, oldest first; at equal times the later one in the log stays."""
        return materialize_read.newest(self.lists, lambda made: made.user_id)


def step(records: Sequence[Record], kind: type[RecommendationList] = RecommendationList) -> ListWrites:
    """Read a batch of lists as that kind; a list that can not be read or stored is a reject, and stops nothing.

    What the API showed is nobody's new list: it is passed by.
    """
    batch = materialize_read.read(records, partial(_read, kind))
    return ListWrites([made for made in batch.events if not made.origin], batch.rejects, batch.reasons)


def _read(kind: type[RecommendationList], record: Record) -> RecommendationList:
    assert record.topic == RECOMMENDATIONS.name, f"the lists are not in topic {record.topic}"
    made = codec.decode(kind, record.value)
    check_list(made)
    return made

"""The materialize step of lists: from the topic `recommendations` to what the stores are to write. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas import codec
from schemas.errors import EventError
from schemas.events import RecommendationList
from schemas.topics import RECOMMENDATIONS
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record
from serving.materialize import JOB
from serving.stores.lists import check_list


class ListWrites(msgspec.Struct, frozen=True):
    """What one batch asks for: `lists` hold each user once, oldest first; `rejects` have a reason each."""

    lists: list[RecommendationList] = []
    rejects: list[Output] = []
    reasons: list[str] = []


def step(records: Sequence[Record]) -> ListWrites:
    """Read a batch; a list that can not be read or stored is a reject, and stops nothing."""
    lists: list[RecommendationList] = []
    rejects: list[Output] = []
    reasons: list[str] = []
    for record in records:
        assert record.topic == RECOMMENDATIONS.name, f"the lists are not in topic {record.topic}"
        try:
            made = codec.decode(RecommendationList, record.value)
            check_list(made)
        except EventError as error:
            rejects.append(dead_letter(record, error, JOB))
            reasons.append(error.reason)
        else:
            lists.append(made)
    return ListWrites(newest(lists), rejects, reasons)


def newest(lists: Sequence[RecommendationList]) -> list[RecommendationList]:
    """The newest list of each user, oldest first; at equal times the later one in the log stays."""
    by_time = sorted(lists, key=lambda made: made.event_time_ms)
    kept = {made.user_id: made for made in by_time}
    return [made for made in by_time if kept[made.user_id] is made]

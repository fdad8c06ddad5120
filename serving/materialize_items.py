"""The materialize step of items: from `items` and `rankings` to what the store of items is to write. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas import codec
from schemas.events import Item, Ranking
from schemas.topics import ITEMS, RANKINGS
from serving import materialize_read
from serving.inflight import Output, Record
from serving.recommend import arrival
from serving.stores.items import check_item, check_ranking


class ItemWrites(msgspec.Struct, frozen=True):
    """What one batch asks for: each entry and each ranking once, oldest first.

    Every record that was refused has one of `reasons`; `rejects` are those that the recommender does not report.
    """

    entries: list[Item] = []
    rankings: list[Ranking] = []
    rejects: list[Output] = []
    reasons: list[str] = []


def step(records: Sequence[Record]) -> ItemWrites:
    """Read a batch of both topics; entries are refused for what the recommender refuses them for."""
    # The recommender reads the topic of items too, and one dead letter a bad record is enough.
    entries = materialize_read.read([record for record in records if record.topic == ITEMS.name], _entry)
    rankings = materialize_read.read([record for record in records if record.topic != ITEMS.name], _ranking)
    return ItemWrites(
        materialize_read.newest(entries.events, lambda entry: entry.item_id),
        materialize_read.newest(rankings.events, lambda ranking: (ranking.kind, ranking.name)),
        rankings.rejects,
        entries.reasons + rankings.reasons,
    )


def _entry(record: Record) -> Item:
    entry = arrival.read(record)
    assert isinstance(entry, Item), "the topic of items holds items"
    check_item(entry)
    return entry


def _ranking(record: Record) -> Ranking:
    assert record.topic == RANKINGS.name, f"the rankings are not in topic {record.topic}"
    ranking = codec.decode(Ranking, record.value)
    check_ranking(ranking)
    return ranking

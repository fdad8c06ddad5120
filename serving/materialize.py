"""The materialize step: from decision and feature records to what the two stores are to write.

Pure: the job that reads the topics also writes the stores, and may do both again after a crash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from schemas import codec
from schemas.errors import InvalidError
from schemas.events import Decision, EntityFeatures, FeatureUpdate
from schemas.topics import DECISIONS, FEATURE_UPDATES
from serving import materialize_read
from serving.inflight import Output, Record
from serving.stores.history import check_ids
from serving.stores.online import Catalogue

MAX_AMOUNT = 10_000_000


class Writes(msgspec.Struct, frozen=True):
    """What one batch asks for.

    `features` hold each entity and state key once, oldest first; `decisions` are in the order of the log.
    `rejects` go to the dead letters, `reasons` say why, one each. `newest_ms` is the newest event time, None when
    nothing could be read. `skipped` counts repeats, which the first answer already covers, and updates of another
    feature set, whose state is written all the same: it is of all sets, and a sealed piece is told once.
    """

    features: list[EntityFeatures] = []
    decisions: list[Decision] = []
    rejects: list[Output] = []
    reasons: list[str] = []
    newest_ms: int | None = None
    skipped: int = 0


def step(records: Sequence[Record], catalogue: Catalogue) -> Writes:
    """Read a batch of both topics; a record that can not be read or stored is a reject, and stops nothing."""
    batch = materialize_read.read(records, lambda record: _read(record, catalogue))
    updates: list[EntityFeatures] = []
    decisions: list[Decision] = []
    times: list[int] = []
    skipped = 0
    for event in batch.events:
        if isinstance(event, Decision):
            wanted = not event.repeat
            decisions += [event] if wanted else []
        else:
            wanted = event.feature_set == catalogue.feature_set
            updates += event.entities
        times += [event.event_time_ms] if wanted else []
        skipped += not wanted
    return Writes(coalesce(updates), decisions, batch.rejects, batch.reasons, max(times, default=None), skipped)


def coalesce(updates: Sequence[EntityFeatures]) -> list[EntityFeatures]:
    """Drop what a newer update of the same batch replaces; at equal times the later one in the log stays.

    State is written as deltas, so an older update survives with the state keys that no newer one has. A store
    ends with the same values as after the whole batch.
    """
    replaced: set[str] = set()
    answered: set[tuple[str, str]] = set()
    kept = []
    for update in sorted(updates, key=lambda update: update.event_time_ms)[::-1]:
        entity = (update.entity, update.entity_id)
        left = update
        if entity in answered or not replaced.isdisjoint(update.state):
            state = {key: value for key, value in update.state.items() if key not in replaced}
            left = msgspec.structs.replace(update, values=[] if entity in answered else update.values, state=state)
        replaced.update(update.state)
        if update.values:
            answered.add(entity)
        if left.state or left.values:
            kept.append(left)
    kept.reverse()
    return kept


def _read(record: Record, catalogue: Catalogue) -> Decision | FeatureUpdate:
    if record.topic == FEATURE_UPDATES.name:
        update = codec.decode(FeatureUpdate, record.value)
        if update.feature_set != catalogue.feature_set:
            told = [entity for entity in update.entities if entity.state and entity.entity in catalogue.ttl_s]
            state = [msgspec.structs.replace(entity, values=[]) for entity in told]
            update = msgspec.structs.replace(update, entities=state)
        for entity in update.entities:
            catalogue.check(entity)
        return update
    assert record.topic == DECISIONS.name, f"materialize reads no topic {record.topic}"
    decision = codec.decode(Decision, record.value)
    check_ids(decision)
    if not 0 <= decision.amount <= MAX_AMOUNT or not math.isfinite(decision.score):
        raise InvalidError(f"Decision: amount {decision.amount} or score {decision.score} is outside its contract")
    return decision

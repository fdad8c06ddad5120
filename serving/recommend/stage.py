"""The recommender as a step over records: bytes of `items` and `interactions` in, lists and dead letters out."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import codec, metrics
from schemas.errors import EventError, InvalidError
from schemas.events import Interaction, Item, SourcePosition
from schemas.topics import ITEMS, RECOMMENDATIONS
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record
from serving.recommend.control import RecommendControl
from serving.recommend.recommender import Arrived, Counts, Recommender
from serving.stages import Count

JOB = "recommend"
# An event that is further ahead of its arrival would push everything older out of the decayed counts.
FUTURE_MS = 5 * 60_000


class RecommendStage:
    """Reads records, refuses bad ones by name, and answers each interaction with its user's new list."""

    def __init__(self, recommender: Recommender, count: Count) -> None:
        self._recommender = recommender
        self._count = count

    def step(self, records: Sequence[Record], control: RecommendControl) -> list[Output]:
        """A list for each interaction that is no repeat; a dead letter for each record that can not be used."""
        outputs: list[Output] = []
        batch: list[Arrived] = []
        for record in records:
            self._count(metrics.EVENTS)
            try:
                batch.append(_read(record))
            except EventError as error:
                self._count(metrics.REJECTS, error.reason)
                outputs.append(dead_letter(record, error, JOB))
        # A copy: the recommender goes on counting in its own.
        before = Counts(**vars(self._recommender.counts))
        for made in self._recommender.step(batch, control):
            outputs.append(Output(RECOMMENDATIONS.name, made.user_id.encode(), codec.encode(made)))
            self._count(metrics.LISTS, "new_user" if made.new_user else "known_user")
        self._tell(before, self._recommender.counts)
        return outputs

    def _tell(self, before: Counts, now: Counts) -> None:
        for metric, by in (
            (metrics.REPEATS, now.repeats - before.repeats),
            (metrics.UNKNOWN_ITEMS, now.unknown_items - before.unknown_items),
            (metrics.REFUSED_ITEMS, now.refused_items - before.refused_items),
        ):
            if by:
                self._count(metric, "", by)


def _read(record: Record) -> Arrived:
    event: Item | Interaction
    if record.topic == ITEMS.name:
        event = codec.decode(Item, record.value)
        _check_key(record, "item_id", event.item_id)
    else:
        event = codec.decode(Interaction, record.value)
        _check_key(record, "user_id", event.user_id)
    ahead = event.event_time_ms - record.arrival_ms
    if ahead > FUTURE_MS:
        raise InvalidError(f"event time is {ahead} ms ahead of its arrival, more than {FUTURE_MS}", "future")
    return Arrived(event, SourcePosition(record.topic, record.partition, record.offset))


def _check_key(record: Record, field: str, wanted: str) -> None:
    """A record under another key would come in another order than the events of what it names."""
    if record.key != wanted.encode():
        key = "none" if record.key is None else repr(record.key[:80])
        raise InvalidError(f"record key is {key}, the event's {field} is {wanted!r}", "wrong_key")

"""The recommender as a step over records: bytes of `items` and `interactions` in; lists and rankings out."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import codec, metrics
from schemas.errors import EventError
from schemas.events import Interaction, SourcePosition
from schemas.topics import RANKINGS, RECOMMENDATIONS
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record
from serving.recommend import arrival
from serving.recommend.beyond import Beyond, Meter
from serving.recommend.control import RecommendControl
from serving.recommend.funnel import Listed
from serving.recommend.rankings import Rankings
from serving.recommend.recommender import Arrived, Counts, Recommender, Waiting
from serving.stages import Count

JOB = "recommend"
# Beyond accuracy, about so many of the newest lists and taken items count; the most popular items are so many.
MEASURED, POPULAR = 10_000, 20


class RecommendStage:
    """Reads records, refuses bad ones by name, and answers each interaction with its user's new list."""

    def __init__(self, recommender: Recommender, count: Count) -> None:
        self._recommender = recommender
        self._rankings = Rankings(recommender.world)
        self._count = count
        self._meter = Meter(POPULAR, MEASURED)

    @property
    def beyond(self) -> Beyond:
        """What the newest lists are like; measured since this stage began."""
        return self._meter.figures()

    def step(self, records: Sequence[Record], control: RecommendControl) -> list[Output]:
        """A list for each interaction that is no repeat, what rankings are due, a dead letter for each bad record."""
        outputs: list[Output] = []
        batch: list[Arrived] = []
        for record in records:
            self._count(metrics.EVENTS)
            try:
                source = SourcePosition(record.topic, record.partition, record.offset)
                arrived = Arrived(arrival.read(record), source)
                batch.append(arrived)
                if isinstance(arrived.event, Interaction):
                    self._measure(arrived.event)
            except EventError as error:
                self._count(metrics.REJECTS, error.reason)
                outputs.append(dead_letter(record, error, JOB))
        # A copy: the recommender goes on counting in its own.
        before = Counts(**vars(self._recommender.counts))

        def tell(time_ms: int) -> None:
            ranking = self._rankings.after(time_ms, control)
            if ranking is not None:
                key = f"{ranking.kind}/{ranking.name}".encode()
                outputs.append(Output(RANKINGS.name, key, codec.encode(ranking)))
                self._count(metrics.RANKINGS, ranking.kind)

        for made in self._recommender.step(batch, control, self._watch, learned=tell):
            outputs.append(Output(RECOMMENDATIONS.name, made.user_id.encode(), codec.encode(made)))
            self._count(metrics.LISTS, "new_user" if made.new_user else "known_user")
            if not made.items:
                self._count(metrics.EMPTY_LISTS)
        self._tell(before, self._recommender.counts)
        return outputs

    def _watch(self, waiting: Waiting, listed: Listed) -> None:
        self._meter.show(waiting.ask.items, waiting.ranked.items[listed.rows], waiting.time_ms)

    def _measure(self, event: Interaction) -> None:
        """What a list showed is not taken yet; what names its list was a hit of it."""
        items = self._recommender.world.items
        number = items.numbers.get(event.item_id)
        if number is not None and not event.impression:
            self._meter.take(items, number, hit=bool(event.list_id))

    def _tell(self, before: Counts, now: Counts) -> None:
        for metric, by in (
            (metrics.INTERACTIONS, now.interactions - before.interactions),
            (metrics.REPEATS, now.repeats - before.repeats),
            (metrics.UNKNOWN_ITEMS, now.unknown_items - before.unknown_items),
            (metrics.LIMITED_INTERACTIONS, now.limited - before.limited),
            (metrics.LONG_SEGMENTS, now.long_segments - before.long_segments),
            (metrics.REPLACED_SEGMENTS, now.replaced_segments - before.replaced_segments),
            (metrics.FALLBACK_LISTS, now.fallbacks - before.fallbacks),
            (metrics.REFUSED_ITEMS, now.refused_items - before.refused_items),
        ):
            if by:
                self._count(metric, "", by)

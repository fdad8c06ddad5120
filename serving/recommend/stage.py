"""The recommender as a step over records: bytes of `items` and `interactions` in; lists and rankings out."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import codec, metrics
from schemas.errors import EventError
from schemas.events import SourcePosition
from schemas.topics import RANKINGS, RECOMMENDATIONS
from serving.dead_letter import dead_letter
from serving.inflight import Output, Record
from serving.recommend import arrival
from serving.recommend.control import RecommendControl
from serving.recommend.rankings import Rankings
from serving.recommend.recommender import Arrived, Counts, Recommender
from serving.stages import Count

JOB = "recommend"


class RecommendStage:
    """Reads records, refuses bad ones by name, and answers each interaction with its user's new list."""

    def __init__(self, recommender: Recommender, count: Count) -> None:
        self._recommender = recommender
        self._rankings = Rankings(recommender.world)
        self._count = count

    def step(self, records: Sequence[Record], control: RecommendControl) -> list[Output]:
        """A list for each interaction that is no repeat, what rankings are due, a dead letter for each bad record."""
        outputs: list[Output] = []
        batch: list[Arrived] = []
        for record in records:
            self._count(metrics.EVENTS)
            try:
                source = SourcePosition(record.topic, record.partition, record.offset)
                batch.append(Arrived(arrival.read(record), source))
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

        for made in self._recommender.step(batch, control, learned=tell):
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

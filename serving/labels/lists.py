"""Clicks and conversions, and the places of lists that they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Literal

from schemas.errors import InvalidError
from schemas.events import Interaction, LabelledExample, RecommendationList
from schemas.models import RECOMMEND
from schemas.online_scores import OnlineScores
from serving.inflight import Record
from serving.labels.claim import About, Arrived, Claim, Logged, Unlisted
from serving.labels.decisions import ALONE
from serving.labels.words import Told, Word
from serving.recommend import arrival
from serving.stores.history import HistoryStore
from serving.stores.ids import id_bytes

Outcome = Literal["click", "conversion"]
# A rating or time spent says how much somebody liked what they took: neither is a yes or a no to the list.
OUTCOMES: dict[str, Outcome] = {"click": "click", "cart": "conversion", "purchase": "conversion"}


class Lists:
    """The lists of a history store."""

    def __init__(self, store: HistoryStore) -> None:
        self._store = store

    def read(self, record: Record) -> Arrived:
        """A click or conversion speaks of a place; a seen one is followed for clicks, a clicked one for conversions.

        What names no list says nothing.
        """
        event = arrival.read(record)
        assert isinstance(event, Interaction)
        if not event.list_id:
            return Arrived(event.event_time_ms)
        id_bytes("list id", event.list_id)
        if event.kind == "view" and event.position is not None:
            return Arrived(event.event_time_ms, followed=about_place("click", event), awaited="click")
        outcome = OUTCOMES.get(event.kind)
        if outcome is None:
            return Arrived(event.event_time_ms)
        word = Word(event.event_id, event.event_time_ms, 1.0, outcome)
        about = about_place(outcome, event)
        if outcome == "conversion":
            return Arrived(event.event_time_ms, about, word)
        return Arrived(event.event_time_ms, about, word, about_place("conversion", event), "conversion")

    def logged(self, claims: Collection[Claim]) -> dict[str, Logged]:
        """The lists that the claims are about."""
        found = self._store.lists({claim.about.answer_id for claim in claims})
        return {name: LoggedList(made) for name, made in found.items()}


def about_place(outcome: Outcome, event: Interaction) -> About:
    """The place of a list that an interaction names; whether it is clicked is what recommenders learn."""
    task = RECOMMEND if outcome == "click" else outcome
    text = f"{task}\0{event.user_id}\0{event.list_id}\0{event.item_id}"
    return About(task, blake2b(text.encode(), digest_size=16).hexdigest(), event.list_id, event.user_id, event.item_id)


class LoggedList:
    """A list as it was logged."""

    def __init__(self, made: RecommendationList) -> None:
        self._made = made
        self.decided_ms = made.event_time_ms

    def example(self, claim: Claim, told: Told) -> LabelledExample:
        """The example of the place, with its propensity and features."""
        made, word, about = self._made, told.word, claim.about
        if made.user_id != about.user_id:
            raise InvalidError(f"list {made.list_id!a} was not made for user {about.user_id!a}", "wrong_user")
        place = next((item for item in made.items if item.item_id == about.item_id), None)
        if place is None:
            raise Unlisted
        if not place.features:
            raise InvalidError(f"list {made.list_id!a} was stored without features", "no_features")
        champion, said = ranked_alone(made.online, made.items.index(place))
        return LabelledExample(
            event_id=word.event_id,
            event_time_ms=word.known_ms,
            task=about.task,
            example_id=about.example_id,
            user_id=made.user_id,
            decided_ms=self.decided_ms,
            delay_ms=word.known_ms - self.decided_ms,
            label=word.label,
            source=word.source,
            features=place.features,
            feature_set=made.feature_set,
            score=place.score if place.champion_score is None else place.champion_score,
            model=made.ranker,
            item_id=place.item_id,
            position=place.position,
            propensity=place.propensity,
            segment=made.segment,
            maturity=claim.maturity,
            replaced=told.replaced,
            weight=claim.weight,
            champion=champion,
            champion_score=said,
            replaced_weight=told.replaced_weight,
        )


def ranked_alone(online: Mapping[str, OnlineScores], place: int) -> tuple[str, float | None]:
    """The learner that ordered a list alone, and what it said of that place; an empty name where none did."""
    for label, said in online.items():
        if said.weight >= ALONE:
            return label.partition("@")[0], said.scores[place]
    return "", None

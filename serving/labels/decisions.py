"""Labels of payments, and the decisions that they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from schemas import codec
from schemas.errors import InvalidError, UnreadableError
from schemas.events import Decision, DecisionKind, Label, LabelledExample
from schemas.models import FRAUD
from schemas.online_scores import OnlineScore
from schemas.topics import DECISIONS
from serving.inflight import Record
from serving.labels.claim import About, Arrived, Claim, Logged
from serving.labels.words import Told, Word
from serving.recommend.arrival import check_key, check_time
from serving.stores.history import HistoryStore
from serving.stores.ids import id_bytes

# A part of one, but for rounding.
ALONE = 1 - 1e-9


class _Answered(msgspec.Struct):
    """What is read of a decision to follow it: the rest is in the store."""

    event_id: str
    event_time_ms: int
    user_id: str
    decision: DecisionKind
    repeat: bool = False


_answered = msgspec.json.Decoder(_Answered)


class Decisions:
    """The decisions of a history store."""

    def __init__(self, store: HistoryStore) -> None:
        self._store = store

    def read(self, record: Record) -> Arrived:
        """A decision is followed, a label speaks. A repeat is covered by its first answer."""
        if record.topic == DECISIONS.name:
            try:
                answered = _answered.decode(record.value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UnreadableError(f"Decision: {error}") from error
            about = About(FRAUD, answered.event_id, answered.event_id, answered.user_id)
            if answered.repeat:
                return Arrived(answered.event_time_ms)
            return Arrived(answered.event_time_ms, followed=about, awaited="chargeback", kind=answered.decision)
        label = codec.decode(Label, record.value)
        check_key(record, "user_id", label.user_id)
        check_time(label.event_time_ms, record.arrival_ms)
        id_bytes("transaction id", label.transaction_id)
        about = About(FRAUD, label.transaction_id, label.transaction_id, label.user_id)
        return Arrived(
            label.event_time_ms, about, Word(label.event_id, label.event_time_ms, float(label.is_fraud), label.source)
        )

    def logged(self, claims: Collection[Claim]) -> dict[str, Logged]:
        """The decisions that the claims are about."""
        found = self._store.decisions({claim.about.answer_id for claim in claims})
        return {name: LoggedDecision(decision) for name, decision in found.items()}


class LoggedDecision:
    """A decision as it was logged."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self.decided_ms = decision.event_time_ms

    def example(self, claim: Claim, told: Told) -> LabelledExample:
        """The example of the decision's own features."""
        decision, word = self._decision, told.word
        if decision.user_id != claim.about.user_id:
            raise InvalidError(f"decision {decision.event_id!a} is not of user {claim.about.user_id!a}", "wrong_user")
        if not decision.features:
            raise InvalidError(f"decision {decision.event_id!a} was stored without features", "no_features")
        champion, said = decided_alone(decision.online)
        return LabelledExample(
            event_id=word.event_id,
            event_time_ms=word.known_ms,
            task=FRAUD,
            example_id=claim.about.example_id,
            user_id=decision.user_id,
            decided_ms=self.decided_ms,
            delay_ms=word.known_ms - self.decided_ms,
            label=word.label,
            source=word.source,
            features=decision.features,
            feature_set=decision.feature_set,
            score=decision.score if decision.champion_score is None else decision.champion_score,
            model=decision.model,
            amount=decision.amount,
            segment=decision.segment,
            maturity=claim.maturity,
            replaced=told.replaced,
            weight=claim.weight,
            champion=champion,
            champion_score=said,
            replaced_weight=told.replaced_weight,
            decision=decision.decision,
            shadows={label: said.score for label, said in decision.online.items() if not said.weight},
        )


def decided_alone(online: Mapping[str, OnlineScore]) -> tuple[str, float | None]:
    """The learner that gave the score alone, and what it said; an empty name where none did."""
    for label, said in online.items():
        if said.weight >= ALONE:
            return label.partition("@")[0], said.score
    return "", None

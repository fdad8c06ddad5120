"""The last stage: rules, model and policy turn a payment with all its features into a decision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas import codec, metrics
from schemas.events import SourcePosition
from schemas.online_scores import OnlineScore
from schemas.topics import DECISIONS, TRANSACTIONS
from serving import policy
from serving.control import Control
from serving.features.catalogue import FEATURE_SET, NAMES
from serving.inflight import Message, Output, Payment
from serving.online.models import blend, told
from serving.outcomes import Outcome, Outcomes
from serving.outgoing import OutgoingDecision, json_rows
from serving.shadow import Shadow
from serving.stages import STAGES, Clock, Count


class DecisionStage:
    """Rules, model and policy for payments that have all their features."""

    def __init__(self, count: Count, clock_us: Clock) -> None:
        self._count = count
        self._clock_us = clock_us

    def step(self, messages: Sequence[Message], outcomes: Outcomes, control: Control) -> list[Output]:
        """A decision for each payment; outputs of earlier stages as they are."""
        payments = [m for m in messages if isinstance(m, Payment)]
        outputs = [m for m in messages if isinstance(m, Output)]
        if not payments:
            return outputs
        started = self._clock_us()
        vectors = np.frombuffer(b"".join([p.values for p in payments]), np.float64).reshape(len(payments), len(NAMES))
        transactions = [p.transaction for p in payments]
        blocked = [control.blocked_by(tx) for tx in transactions]
        hits = [control.hits(tx, row) for tx, row in zip(transactions, vectors, strict=True)]
        ruled = self._clock_us()
        model = control.model
        champion = model.score(vectors) if model else None
        members = control.online.members(champion=model is not None)
        # Nobody pays for online models that control does not name.
        blended = blend(members, vectors, champion) if members else None
        found = blended.scores if blended else champion
        scores: list[float] = [0.0] * len(payments) if found is None else found.tolist()
        said = told(blended) if blended else None
        weighted = champion is not None and any(member.weight for member in members)
        scored = self._clock_us()
        beside = self._beside(control.shadow, vectors)
        if beside:
            said = [one | other for one, other in zip(said, beside, strict=True)] if said else beside
        shadowed = self._clock_us()
        features = json_rows(vectors)
        spent = {"rules": ruled - started, "model": scored - ruled}
        if beside:
            spent["shadow"] = shadowed - scored
        for place, payment in enumerate(payments):
            tx = transactions[place]
            # Two users of one card may use the same event id.
            event = f"{payment.user_id}\0{payment.event_id}"
            outcome = outcomes.find(payment.route, event) if payment.repeat else None
            # The features, rules and versions that decided are those of the first decision: a repeat states none.
            known = outcome is not None
            if outcome is None:
                rules = [rule for rule, _ in hits[place]]
                decision, reasons = policy.decide(scores[place], control.thresholds(tx.segment), rules)
                if blocked[place]:
                    decision = "BLOCK"
                    reasons.insert(0, f"blocklist_{blocked[place]}")
                if model is None and not any(member.weight for member in members):
                    reasons.append("no_model")
                outcome = Outcome(decision, scores[place], reasons)
                outcomes.add(payment.route, event, outcome)
            self._count(metrics.DECISIONS, outcome.decision)
            answer = OutgoingDecision(
                payment.event_id,
                payment.time_ms,
                payment.user_id,
                payment.merchant_id,
                payment.amount,
                outcome.decision,
                outcome.score,
                SourcePosition(TRANSACTIONS.name, payment.partition, payment.offset) if payment.offset >= 0 else None,
                payment.arrival_ms,
                None if known else features[place],
                "" if known else FEATURE_SET,
                model.label if model and not known else "",
                "" if known else control.rules_version,
                outcome.reasons,
                [] if known else [hit for _, hit in hits[place]],
                tx.segment,
                payment.repeat,
                payment.late,
                payment.lateness_ms,
                dict(zip(STAGES, payment.timings_us, strict=False)) | spent,
                said[place] if said and not known else {},
                float(champion[place]) if champion is not None and weighted and not known else None,
            )
            outputs.append(Output(DECISIONS.name, payment.user_id.encode(), codec.encode(answer)))
        return outputs

    def _beside(self, shadow: Shadow | None, vectors: NDArray[np.float64]) -> list[dict[str, OnlineScore]]:
        """What decisions state of the shadow; nothing where there is none, or it fails."""
        if shadow is None:
            return []
        scores = shadow.scores(vectors)
        if scores is None:
            self._count(metrics.SHADOW_SILENT, "", len(vectors))
            return []
        return [{shadow.label: OnlineScore(score)} for score in scores.tolist()]

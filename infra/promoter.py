"""Acts on the verdicts that leave with snapshots, where the policy is to promote without asking."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from infra import control_topic, learner_promotion
from online_learning.promotion import action, comparison_of
from schemas.events import Event, Snapshot
from schemas.settings import Kafka, Promotion


class Promoter:
    """Looks at each snapshot once its learner has won; reads the control topic only then."""

    def __init__(self, kafka: Kafka, policy: Promotion, now_ms: Callable[[], int]) -> None:
        self._kafka, self._policy, self._now_ms = kafka, policy, now_ms
        # Learner -> opponent and examples of the comparison that was acted on: a new opponent starts a new one.
        self._acted: dict[str, tuple[str, bool, int]] = {}

    def consider(self, events: Iterable[Event]) -> list[str]:
        """Promote who won, and return their names; a champion that lost steps down. Raises what the topic raises."""
        won = [event for event in events if isinstance(event, Snapshot) and self._is_new(event)]
        if not won:
            return []
        records = control_topic.current(self._kafka)
        sent, _ = learner_promotion.by_policy(records, won, self._policy, self._now_ms())
        if sent:
            control_topic.send(self._kafka, sent)
        return [model.learner for model in learner_promotion.online_models(sent).values() if model.mode == "champion"]

    def _is_new(self, snapshot: Snapshot) -> bool:
        comparison = comparison_of(snapshot.metrics)
        if comparison is None or action(self._policy, comparison) not in {"promote", "step_down"}:
            return False
        duel = (snapshot.opponent, comparison.defends, comparison.examples)
        before, self._acted[snapshot.learner] = self._acted.get(snapshot.learner), duel
        return before is None or duel[:2] != before[:2] or comparison.examples < before[2]

"""Acts on the verdicts that leave with snapshots: promotes where the policy says so, else tells people of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from infra import control_topic, learner_policy
from infra.learner_gate import told
from infra.learners_in_force import online_models
from online_learning.promotion import action, comparison_of
from schemas.events import Event, Snapshot
from schemas.settings import Kafka, Promotion
from schemas.units import MINUTE_MS
from schemas.watching import Alert

ASKS = "LearnerAsks"
# Who may not decide yet is looked at again then.
AGAIN_MS = 10 * MINUTE_MS


class Promoter:
    """Looks at each snapshot once its learner has won; reads the control topic only then. `tell` publishes alerts."""

    def __init__(
        self,
        kafka: Kafka,
        policy: Promotion,
        now_ms: Callable[[], int],
        tell: Callable[[list[Event]], None] = lambda _events: None,
    ) -> None:
        self._kafka, self._policy, self._now_ms, self._tell = kafka, policy, now_ms, tell
        # Learner -> opponent, side, action and examples of the comparison that was acted on: a new one is acted on.
        self._acted: dict[str, tuple[str, bool, str, int]] = {}
        self._again_ms: dict[str, int] = {}

    def consider(self, events: Iterable[Event]) -> list[str]:
        """Promote who won, and return their names; a champion that lost steps down. Raises what the topic raises."""
        now_ms = self._now_ms()
        won = [event for event in events if isinstance(event, Snapshot) and self._is_new(event, now_ms)]
        if not won:
            return []
        records = control_topic.current(self._kafka)
        for snapshot in won:
            if learner_policy.waits(records, snapshot, self._policy, now_ms):
                self._acted.pop(snapshot.learner, None)
                self._again_ms[snapshot.learner] = now_ms + AGAIN_MS
        sent, asked = learner_policy.by_policy(records, won, self._policy, now_ms)
        if sent:
            control_topic.send(self._kafka, sent)
        self._tell([self._asks(snapshot, now_ms) for snapshot in won if snapshot.learner in asked])
        return [model.learner for model in online_models(sent).values() if model.mode == "champion"]

    def _is_new(self, snapshot: Snapshot, now_ms: int) -> bool:
        comparison = comparison_of(snapshot.metrics)
        if comparison is None or now_ms < self._again_ms.get(snapshot.learner, 0):
            return False
        wanted = action(self._policy, comparison)
        if wanted == "none":
            return False
        duel = (snapshot.opponent, comparison.defends, wanted, comparison.examples)
        before, self._acted[snapshot.learner] = self._acted.get(snapshot.learner), duel
        return before is None or duel[:3] != before[:3] or comparison.examples < before[3]

    def _asks(self, snapshot: Snapshot, now_ms: int) -> Alert:
        comparison = comparison_of(snapshot.metrics)
        assert comparison is not None
        mode = "shadow" if comparison.defends else "champion"
        return Alert(
            event_id=f"{snapshot.learner[:32]}-{ASKS}-{comparison.examples}"[:64],
            event_time_ms=now_ms,
            name=ASKS,
            severity="info",
            state="firing",
            summary=f"{snapshot.learner} asks to be {mode}: {told(snapshot)}"[:1000],
            value=comparison.gain,
            limit=self._policy.least_gain,
            since_ms=now_ms,
            labels={"learner": snapshot.learner},
        )

"""A decision on demand: the stream's own step over the state that the stream has written, counting nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from schemas import codec
from schemas.errors import EventError, InvalidError, ModelError, StateVersionError
from schemas.events import Decision, Transaction
from schemas.metrics import Metric
from schemas.topics import DECISIONS, SNAPSHOTS, TRANSACTIONS
from serving.control import Control
from serving.control_feed import ControlFeed, read_control
from serving.entity_cache import EntityCache
from serving.inflight import Output, Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline
from serving.stages import Clock
from serving.stores.online import StateReader

# At most this many records of one request's entities are kept, and only while it is answered.
ENTITIES_A_REQUEST = 8
# Outside the log: a decision without a source position.
NO_OFFSET = -1


class _Refusal:
    """Remembers why the step refused a transaction: the stream would send it to the dead letters."""

    def __init__(self) -> None:
        self.reason = ""

    def count(self, metric: Metric, value: str = "", by: int = 1) -> None:  # noqa: ARG002  one shape for all
        if metric.label == "reason":
            self.reason = value


class OnDemand:
    """Scores single transactions; safe to share between threads.

    `feed` is of `control` and `snapshots`, `refused` hears of their records that were not taken.
    """

    def __init__(
        self,
        control: Control,
        feed: ControlFeed,
        now_ms: Callable[[], int],
        clock_us: Clock,
        refused: Callable[[str], None],
    ) -> None:
        self._control = control
        self._feed = feed
        self._now_ms = now_ms
        self._clock_us = clock_us
        self._refused = refused
        self._changing = threading.Lock()

    @property
    def model(self) -> str:
        """`name@version` of the model in force; empty when rules decide alone."""
        self._take_control()
        return self._control.model.label if self._control.model else ""

    def score(self, tx: Transaction, state: StateReader) -> Decision:
        """The decision that the stream would give now. Writes nothing.

        Raises StoreError when the state can not be read, EventError for a transaction the stream would reject.
        """
        self._take_control()
        for attempt in (1, 2):
            try:
                return self._run(tx, state)
            except StateVersionError:
                # Head and chunks are read one after the other; the stream may have moved on in between.
                if attempt == 2:
                    raise
        raise AssertionError("the second attempt returns or raises")

    def _run(self, tx: Transaction, state: StateReader) -> Decision:
        ids = {"user": tx.user_id, "merchant": tx.merchant_id, "device": tx.device_id, "card": tx.card_id}
        heads = state.read_state([f"{kind}:{id_}" for kind, id_ in ids.items() if id_ is not None])

        def read(key: str) -> bytes | None:
            if "#" not in key or key in heads:
                return heads.get(key)
            return state.read_state([key]).get(key)

        refusal = _Refusal()
        entities = EntityCache(read, ENTITIES_A_REQUEST)
        pipeline = Pipeline(entities, Outcomes(lambda _: None, ENTITIES_A_REQUEST), refusal.count, self._clock_us)
        record = Record(TRANSACTIONS.name, 0, NO_OFFSET, self._now_ms(), tx.user_id.encode(), codec.encode(tx))
        outputs = pipeline.run([record], self._control)
        answer = next((o for o in outputs if o.topic == DECISIONS.name), None)
        if answer is None:
            raise InvalidError(_detail(outputs), refusal.reason or "invalid")
        return codec.decode(Decision, answer.value)

    def _take_control(self) -> None:
        with self._changing:
            for record in self._feed.take():
                try:
                    if record.topic == SNAPSHOTS.name:
                        self._control.online.take(record)
                    else:
                        self._control.apply(read_control(record))
                except (EventError, ModelError) as error:
                    self._refused(str(error))


def _detail(outputs: list[Output]) -> str:
    """Why the stream would refuse, in the words of the dead letter it would have written."""
    letter: dict[str, object] = msgspec.json.decode(outputs[0].value)
    return str(letter["detail"])

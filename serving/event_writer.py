"""Writes events that came over HTTP to their topics, and what was shown, and knows of each whether the log holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas import codec
from schemas.errors import PartFailedError
from schemas.events import Interaction, Label, RecommendationList
from schemas.topics import INTERACTIONS, LABELS, RECOMMENDATIONS

# Somebody waits for the answer: a broker that needs longer counts as down.
DELIVERY_TIMEOUT_MS = 3000
LINGER_MS = 2
# Nobody waits for what was shown to be written: several answers go in one request to the broker (DECISIONS.md, 133).
TOLD_LINGER_MS = 100
POLL_S = 0.1
# What waits for a broker that is silent; beyond it what was shown is lost, and counted.
MOST_WAITING = 20_000
TOPICS = {Interaction: INTERACTIONS, Label: LABELS}


class EventWriter:
    """Producers that wait for all replicas (acks=all), one of them for what nobody waits for.

    Safe to share between threads.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer, self._teller = _producer(bootstrap, LINGER_MS), _producer(bootstrap, TOLD_LINGER_MS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="event-writer", daemon=True)
        self._thread.start()

    def append(self, event: Interaction | Label) -> None:
        """Write the event under its user's id, and wait until it is there.

        Raises PartFailedError when the broker did not confirm it in time; it may be there all the same.
        """
        done: Future[None] = Future()

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(KafkaException(error))

        try:
            self._producer.produce(
                TOPICS[type(event)].name, codec.encode(event), event.user_id.encode(), on_delivery=delivered
            )
            done.result()
        except (KafkaException, BufferError) as error:
            reason = error.args[0].str() if isinstance(error, KafkaException) else error
            raise PartFailedError(
                f"Kafka at {self._bootstrap}: {reason}; send it again with the same event_id, see `sluice doctor`"
            ) from error

    def tell(self, shown: RecommendationList, heard: Callable[[bool], None]) -> None:
        """Write what somebody was shown under their id, without waiting; `heard` is told whether it is there."""
        if len(self._teller) >= MOST_WAITING:
            heard(False)
            return
        try:
            self._teller.produce(
                RECOMMENDATIONS.name,
                codec.encode(shown),
                shown.user_id.encode(),
                on_delivery=lambda error, _: heard(error is None),
            )
        except (KafkaException, BufferError):
            heard(False)

    def close(self) -> None:
        """Wait for what is on its way, and end."""
        for producer in (self._producer, self._teller):
            producer.flush(DELIVERY_TIMEOUT_MS / 1000)
        self._stop.set()
        self._thread.join(timeout=5)

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(POLL_S)
            self._teller.poll(0)


def _producer(bootstrap: str, linger_ms: int) -> Producer:
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
            "log_level": 0,
        }
    )

"""The router as a process: its edges put together, and the beat that sends what is due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from infra import wall_clock
from infra.alerts import probes, sender, state_file
from infra.alerts.alertmanager_client import Webhook
from infra.alerts.delivery_writer import DeliveryWriter
from infra.alerts.metrics import RouterMetrics
from infra.alerts.notice import Message
from infra.alerts.probes import Probe
from infra.alerts.receiver import create_app
from infra.alerts.router import Router
from infra.alerts.stream import Stream
from schemas.settings import Settings
from serving.stores import cassandra_deliveries
from serving.stores.deliveries import Delivery, DeliveryStore, Status

BEAT_S, TOLD_AGAIN_S = 0.2, 30.0
SENDERS = 8
MOST_NAMES = 20


class Process:
    """What the threads share. When one of them fails, `failure` says why and `on_failure` is called.

    `echo` prints for channels of kind terminal, `report` what is wrong; `asked` are the parts that are probed.
    """

    def __init__(
        self,
        settings: Settings,
        store: DeliveryStore,
        echo: Callable[[str], None],
        report: Callable[[str], None],
        asked: Mapping[str, Probe],
        clock: Callable[[], int] = wall_clock.now_ms,
    ) -> None:
        place = Path(settings.alerts.state)
        self.metrics = RouterMetrics()
        self.router = Router(settings.alerts, state_file.load(place), partial(state_file.save, place), self._counted)
        self.stream = Stream(
            settings.kafka.bootstrap, settings.alerts.alertmanager, self.router, self.metrics, clock, report, self._fail
        )
        self.log = DeliveryWriter(store, self.metrics.unlogged.inc, report)
        self.app = create_app(self._hear, self._react, self._exposed)
        self._people = {person.name: person for person in settings.alerts.people}
        self._echo, self._clock = echo, clock
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._stop = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")
        self._probed = threading.Thread(target=probes.keep_probing, args=(asked, self.metrics, self._stop), daemon=True)
        self._beating = threading.Thread(target=self._beat, name="beat", daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """All threads run until the block ends."""
        with ExitStack() as ended:
            for begin, end in ((self.log.start, self.log.stop), (self.stream.start, self.stream.stop)):
                begin()
                ended.callback(end)
            self._probed.start()
            self._beating.start()
            ended.callback(self._senders.shutdown)
            ended.callback(self._beating.join, 10)
            ended.callback(self._stop.set)
            yield

    def _fail(self, error: Exception) -> None:
        """A thread ended: a router that only seems to run is worse than one that does not."""
        self.failure = self.failure or error
        self.on_failure()

    def _beat(self) -> None:
        try:
            self._keep_beating()
        except Exception as error:  # the process ends on it
            self._fail(error)

    def _keep_beating(self) -> None:
        told_again = 0.0
        while not self._stop.wait(BEAT_S):
            now_ms = self._clock()
            self.metrics.beat.set(now_ms / 1000)
            self.router.watch(now_ms)
            for message in self.router.due(now_ms):
                self._senders.submit(self._send, message).add_done_callback(self._sent)
            if now_ms / 1000 - told_again >= TOLD_AGAIN_S:
                told_again = now_ms / 1000
                firing = self.router.still_firing(now_ms)
                self.stream.publish()
                self.stream.tell(firing)

    def _send(self, message: Message) -> None:
        """Send a message and account for it; a fault of ours gives it back to those that wait."""
        person, wanted, begun_ms = self._people[message.person], self.router.wanted(message), self._clock()
        taken: list[int] = []
        tried: list[int] = []
        rows = []
        names = list(dict.fromkeys(notice.name for notice in message.notices))[:MOST_NAMES]

        def row(at_ms: int, channel: str, status: Status, detail: str = "") -> Delivery:
            return Delivery(
                message.person, message.message_id, at_ms, channel, status, names, len(message.notices), detail
            )

        try:
            one = partial(sender.send, echo=self._echo)
            for attempt in sender.attempts(message, person.channels, wanted, one):
                tried.append(attempt.channel)
                kind = f"{attempt.channel} {person.channels[attempt.channel].kind}"
                rows += [row(begun_ms, kind, "sent"), row(self._clock(), kind, attempt.outcome, attempt.detail)]
                self.metrics.deliveries.labels(kind.split()[1], attempt.outcome).inc()
                if attempt.outcome == "delivered":
                    taken.append(attempt.channel)
        finally:
            now_ms = self._clock()
            self.router.settle(message, taken, now_ms, tried)
            self.log.add(rows)
            # People have heard the ends of a closing message before.
            if taken and not message.closing:
                for notice in message.notices:
                    self.metrics.seconds.labels(notice.severity).observe((now_ms - notice.at_ms) / 1000)

    def _sent(self, sending: Future[None]) -> None:
        error = sending.exception()
        if isinstance(error, Exception):
            self._fail(error)

    def _hear(self, webhook: Webhook) -> None:
        self.router.hear(webhook, self._clock())
        self.stream.publish()

    def _react(self, person: str, message: str, what: Status) -> None:
        self.log.add([Delivery(person, message, self._clock(), "", what)])

    def _counted(self, priority: str, outcome: str) -> None:
        self.metrics.notices.labels(priority, outcome).inc()

    def _exposed(self) -> bytes:
        self.stream.note_ages()
        for job, stopped_ms in self.router.stopped().items():
            self.metrics.job_stopped.labels(job).set(stopped_ms / 1000)
        for person, count in self.router.waiting().items():
            self.metrics.waiting.labels(person).set(count)
        return self.metrics.exposed()


def of(settings: Settings, echo: Callable[[str], None], report: Callable[[str], None]) -> Process:
    """The process over the stores of the settings. Raises SettingsError and StateVersionError."""
    return Process(settings, cassandra_deliveries.connect(settings.cassandra), echo, report, probes.probes(settings))

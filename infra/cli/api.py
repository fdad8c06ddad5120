"""`sluice api`"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from types import FrameType
from uuid import uuid4

import click
import msgspec
import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from infra import dead_letters, wall_clock, wished_stop
from infra.dead_letters import Choice
from infra.stack.part import LOOPBACK
from infra.stack.ports import refused
from schemas.settings import Settings
from schemas.topics import CONTROL, SNAPSHOTS
from serving import model
from serving.api.answers import ReplayAnswer
from serving.api.app import create_app
from serving.api.live import Streams
from serving.console.console import Console
from serving.console.models import RegistryReader
from serving.console.poller import Poller
from serving.console.topic_feed import TopicFeed
from serving.control import Control
from serving.control_feed import ControlFeed
from serving.event_writer import EventWriter
from serving.on_demand import OnDemand
from serving.recommend.policy_feed import PolicyFeed
from serving.registry import Registry
from serving.stored_catalogue import defaults_by_name, lives_by_name, stored_catalogue
from serving.stores import cassandra_history, redis_items, redis_lists, redis_online

# A person or a service waits for the answer: a store that needs longer counts as down.
READ_DEADLINE_MS = 2000


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Loopback port; default stack.ports.api.")
@click.pass_obj
def command(settings: Settings, port: int | None) -> None:
    """Serve features, decisions, scores, recommendations and the console over HTTP, on loopback, until Ctrl-C."""
    port = port or settings.stack.ports.api
    catalogue = stored_catalogue()
    redis = msgspec.structs.replace(settings.redis, timeout_ms=min(settings.redis.timeout_ms, READ_DEADLINE_MS))
    cassandra = msgspec.structs.replace(
        settings.cassandra, timeout_ms=min(settings.cassandra.timeout_ms, READ_DEADLINE_MS)
    )
    registry = Path(settings.registry.path)
    control = Control(lambda pointer: model.load(pointer, registry))
    # A port that is taken is said at once, not after the control topic was waited for.
    with _bound(port) as listener, ExitStack() as closing:
        online = redis_online.connect(redis, catalogue)
        lists, items = redis_lists.connect(redis), redis_items.connect(redis)
        history = cassandra_history.connect(cassandra)
        log = EventWriter(settings.kafka.bootstrap)
        for opened in (online, lists, items, history, log):
            closing.callback(opened.close)
        steering = ControlFeed(settings.kafka.bootstrap, (CONTROL, SNAPSHOTS))
        feeds = steering, ControlFeed(settings.kafka.bootstrap)
        for feed in feeds:
            feed.start()
            closing.callback(feed.stop)
        console, streams = Console(wall_clock.now_ms), Streams(lambda line: click.echo(line, err=True))
        for watching in _watching(settings, console):
            watching.start()
            closing.callback(watching.stop)
        app = create_app(
            online=online,
            lists=lists,
            items=items,
            history=history,
            scorer=OnDemand(control, feeds[0], wall_clock.now_ms, lambda: time.perf_counter_ns() // 1000, _report),
            log=log,
            policy=PolicyFeed(feeds[1], _report),
            defaults=defaults_by_name(),
            lives_s=lives_by_name(),
            clock=wall_clock.now_ms,
            new_id=lambda: uuid4().hex,
            console=console,
            streams=streams,
            replay=partial(replay_letter, settings),
            runbook=_runbook,
            feature_set=catalogue.feature_set,
        )
        click.echo(f"Sluice on http://{LOOPBACK}:{port}: the console at /, the API at /docs; stop it with Ctrl-C")
        server = _Server(uvicorn.Config(app, log_level="warning", access_log=False), streams)
        server.run(sockets=[listener])
    # Only now that nobody is answered: what is seen after it was stopped would be down.
    wished_stop.tell_or_report(settings.kafka, "api", partial(click.echo, err=True))


class _Server(uvicorn.Server):
    """Ends the console's streams first, for uvicorn waits for open connections; and leaves its caller to end the rest.

    Uvicorn would raise the signal again once nobody is answered, and end the process before what was opened is closed.
    """

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {sig: signal.signal(sig, self.handle_exit) for sig in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._streams.end()
        super().handle_exit(sig, frame)


def _watching(settings: Settings, console: Console) -> tuple[TopicFeed, Poller]:
    """What fills the console."""
    ports = settings.stack.ports
    return TopicFeed(settings.kafka.bootstrap, console), Poller(
        console,
        f"http://{LOOPBACK}:{ports.prometheus}",
        f"http://{LOOPBACK}:{ports.alertmanager}",
        RegistryReader(Registry(Path(settings.registry.path))).read,
    )


def replay_letter(settings: Settings, letter_id: str, rekey: bool) -> ReplayAnswer:
    """Play one dead letter back and say what became of it. Raises NotFoundError for an id that no letter has."""
    done = dead_letters.replay(settings.kafka, Choice(ids=frozenset({letter_id})), wall_clock.now_ms(), rekey=rekey)
    return ReplayAnswer(next(iter(done.sent), None), done.before > 0, next(iter(done.left), None))


def _runbook(name: str) -> str | None:
    page = resources.files("infra").joinpath("runbooks", f"{name}.md")
    return page.read_text() if page.is_file() else None


def _report(refused: str) -> None:
    click.echo(f"control record or snapshot refused, the state before stays: {refused}", err=True)


def _bound(port: int) -> socket.socket:
    """The listening socket. Raises PortInUseError that names the holder, SettingsError for what can not be bound."""
    try:
        listener = socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise refused(port, "api", error, "give another with --port") from error
    # Connections inherit it. Without it an answer's body waits 40 ms for the client to acknowledge its head:
    # uvloop sets it by itself, asyncio, which serves where there is no uvloop, does not on a socket that it is handed.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener

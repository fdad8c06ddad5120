"""`sluice learn`"""

from __future__ import annotations

import errno
import signal
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec
from prometheus_client import start_http_server

from infra import wall_clock, wished_stop
from infra.promoter import Promoter
from infra.stack.home import Home
from infra.stack.ports import refused
from online_learning.catalogue import LEARNERS, definition
from online_learning.limits import Limits
from online_learning.log_edge import LabelledLog, Told
from online_learning.loop import Loop
from online_learning.process import run
from online_learning.process_metrics import ProcessMetrics
from schemas.events import Event
from schemas.settings import Learn, Settings
from serving.features import catalogue as fraud_features
from serving.recommend.features import catalogue as recommend_features

# What the names of a vector are, by its feature set.
NAMES = {
    fraud_features.FEATURE_SET: fraud_features.NAMES,
    recommend_features.FEATURE_SET: recommend_features.NAMES,
}


@click.command()
@click.argument("learners", nargs=-1, metavar="[LEARNER]...")
@click.option("--from-beginning", is_flag=True, help="Forget what was learned, and learn the whole log again.")
@click.option("--to-end", is_flag=True, help="End after what the log holds now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line.")
@click.pass_obj
def command(
    settings: Settings, learners: tuple[str, ...], *, from_beginning: bool, to_end: bool, as_json: bool
) -> None:
    """Learn from labelled examples as they come; without a name, with every learner.

    A learner goes on where its checkpoint stands. Learners of one process share the reading; start more processes with
    other names to use more cores. Each learner sees every example of its task, in the order of the log, so that it is
    owned by one process.
    """
    wanted = tuple(definition(name) for name in dict.fromkeys(learners)) or LEARNERS
    limits = Limits(source_per_hour=settings.learn.source_per_hour, user_per_hour=settings.learn.user_per_hour)
    loop = Loop(wanted, NAMES, _folder(settings), afresh=from_beginning, promotion=settings.promotion, limits=limits)
    for name in loop.relimited:
        click.echo(
            f"{name} learned a part of the log by other limits (learn.source_per_hour, learn.user_per_hour): "
            f"`sluice learn {name} --from-beginning` would give another model",
            err=True,
        )
    metrics = ProcessMetrics()
    log = LabelledLog(settings.kafka, to_end=to_end)
    try:
        server = None if to_end else _serve(metrics, settings.learn)
        stop = _Stop()
        click.echo(f"learning: {', '.join(one.name for one in wanted)}; Ctrl-C ends it", err=True)
        run(loop, log, _Told(settings), metrics, checkpoint_s=settings.learn.checkpoint_ms / 1000, stopped=stop)
        if server is not None:
            server.shutdown()
            wished_stop.tell_or_report(settings.kafka, "learn", partial(click.echo, err=True))
    finally:
        log.close()
    figures = {course.definition.name: _figures(course) for course in loop.courses}
    for name, one in figures.items():
        shown = ", ".join(f"{metric} {value:.4f}" for metric, value in one["rolling"].items())
        click.echo(f"{name}: {one['learned']:,} examples learned; rolling: {shown or 'nothing measured'}")
    if as_json:
        click.echo(msgspec.json.encode(figures).decode())


def _folder(settings: Settings) -> Path:
    return Path(settings.learn.path) if settings.learn.path else Home.of(settings).learners()


def _figures(course: Any) -> dict[str, Any]:
    figures = course.figures
    return {
        "learned": course.learned,
        "counts": dict(course.counts),
        "overall": figures.overall,
        "rolling": figures.rolling,
        "segments": figures.segments,
    }


def _serve(metrics: ProcessMetrics, given: Learn) -> Any:
    """At the first port that is free: another learning process has the one before.

    Raises PortInUseError that names the holder of the last one, SettingsError for what can not be bound.
    """
    for port in given.ports:
        try:
            return start_http_server(port, addr="127.0.0.1", registry=metrics.registry)[0]
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port != given.ports[-1]:
                continue
            way_out = "give another `learn.port` or more `learn.processes` in the settings"
            raise refused(port, "metrics of the learners", error, way_out) from error
    raise AssertionError("there is a port at least")


class _Told(Told):
    """Tells, and promotes a learner that has won, if the settings say so."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.kafka)
        self._promoter = Promoter(settings.kafka, settings.promotion, wall_clock.now_ms, super().tell)

    def tell(self, events: list[Event]) -> None:
        """Hand events to the client, then look at the verdicts among them."""
        super().tell(events)
        for name in self._promoter.consider(events):
            click.echo(f"promoted: {name} is champion; `sluice learners rollback {name}` takes it back", err=True)


class _Stop:
    """Ends the loop after the batch at hand on Ctrl-C or a request to terminate."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: Any) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return self._asked

"""`sluice alerts`"""

from __future__ import annotations

import socket

import click
import uvicorn

from infra import publish, wall_clock
from infra.alerts import alertmanager_client, process
from infra.alerts.responses import TRIAL
from infra.cli.span import Span
from infra.stack.part import LOOPBACK
from infra.stack.ports import refused
from schemas.alerts.catalogue import DEFINITIONS
from schemas.errors import InputError, NotFoundError
from schemas.instants import second_utc
from schemas.settings import Settings
from schemas.watching import Alert
from serving.stores import cassandra_deliveries
from serving.stores.deliveries import MAX_DAYS, MAX_LIMIT


@click.group()
def command() -> None:
    """Alerts: route them to people, see what fires, see what was delivered, and try the way to a person."""


@command.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen at.")
@click.pass_obj
def route(settings: Settings, host: str) -> None:
    """Take notifications of Alertmanager and alerts of the stream to the people of [alerts], until Ctrl-C."""
    port = settings.stack.ports.alerts
    with _bound(host, port) as listener:
        router = process.of(settings, click.echo, _report)
        server = uvicorn.Server(uvicorn.Config(router.app, log_level="warning", access_log=False))
        router.on_failure = lambda: setattr(server, "should_exit", True)
        people = ", ".join(person.name for person in settings.alerts.people) or "nobody"
        with router.running():
            click.echo(f"alerts reach {people}; listening on http://{host}:{port}; stop it with Ctrl-C")
            server.run(sockets=[listener])
        if router.failure is not None:
            raise router.failure


@command.command(name="list")
@click.pass_obj
def list_firing(settings: Settings) -> None:
    """What fires now, as Alertmanager knows it, the newest first."""
    found = alertmanager_client.firing(settings.alerts.alertmanager)
    for alert in sorted(found, key=lambda alert: alert.startsAt, reverse=True):
        labels = alert.labels
        since = second_utc(alertmanager_client.milliseconds(alert.startsAt, 0))
        click.echo(
            f"{labels.get('severity', ''):<9} {labels.get('alertname', ''):<22} since {since}  "
            f"{alert.annotations.get('summary', '')}"
        )
    if not found:
        click.echo("nothing fires")


@command.command()
@click.option("--person", help="Of this person.  [default: everybody in the settings]")
@click.option("--since", type=Span(MAX_DAYS), default="24h", show_default=True, help="Of the last 90s, 30m, 1h, 7d.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True, help="The newest N of each.")
@click.pass_obj
def deliveries(settings: Settings, person: str | None, since: int, limit: int) -> None:
    """What was sent to people, over which channel, and what became of it."""
    now_ms = wall_clock.now_ms()
    store = cassandra_deliveries.connect(settings.cassandra)
    try:
        for name in [person] if person else [p.name for p in settings.alerts.people]:
            for row in store.deliveries_of(name, now_ms + 1 - since, now_ms + 1, limit):
                names = ", ".join(row.alerts)
                click.echo(
                    f"{second_utc(row.at_ms)}  {row.person:<12} {row.message_id:<20} {row.channel:<12} {row.status:<9} "
                    f"{row.count:>5}  {names} {row.detail}".rstrip()
                )
    finally:
        store.close()


@command.command()
@click.argument("name")
@click.option("--over", is_flag=True, help="Say that it is over.")
@click.pass_obj
def test(settings: Settings, name: str, *, over: bool) -> None:
    """Publish a trial of the alert NAME, labelled trial: it takes the whole way to people, and nothing responds."""
    definition = DEFINITIONS.get(name)
    if definition is None:
        raise NotFoundError(f"no alert {name}; the alerts are on docs/alerts.md")
    if not settings.kafka.bootstrap:
        raise InputError("no Kafka is set; give kafka.bootstrap")
    now_ms = wall_clock.now_ms()
    trial = Alert(
        event_id=f"trial-{now_ms}",
        event_time_ms=now_ms,
        name=name,
        severity=definition.severity,
        state="resolved" if over else "firing",
        summary=f"trial of {name}",
        limit=definition.limit,
        since_ms=now_ms,
        labels={TRIAL: "yes"},
        runbook=definition.page,
    )
    publish.publish(publish.records([trial]), publish.connect(settings.kafka), publish.Pace())
    click.echo(f"{name} is published as {trial.state}; see `sluice alerts list` and `sluice alerts deliveries`")


def _report(problem: str) -> None:
    click.echo(problem, err=True)


def _bound(host: str, port: int) -> socket.socket:
    """The listening socket. Raises PortInUseError that names the holder, SettingsError for what can not be bound."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise refused(port, "alerts", error, "set [stack.ports] alerts") from error

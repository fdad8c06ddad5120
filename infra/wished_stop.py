"""Says on `control` that a job or a process ended because somebody wished it: no alert that it is down follows."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from infra import control_topic, wall_clock
from infra.author import author
from schemas import control
from schemas.errors import OperatorError
from schemas.events import ControlRecord
from schemas.settings import Kafka


def flag(name: str) -> str:
    """The name of the flag that says it of `name`."""
    return f"{control.STOPPED}{name}"


def tell(kafka: Kafka, name: str) -> None:
    """Tell it of a job of `jobs/names.py`, or of a process by its name at Prometheus. Raises OperatorError."""
    now_ms = wall_clock.now_ms()
    record = ControlRecord(
        event_id=f"stopped-{name}-{now_ms}",
        event_time_ms=now_ms,
        kind="flag",
        name=flag(name),
        payload=msgspec.Raw(msgspec.json.encode(control.Flag(enabled=True))),
        author=author(),
    )
    control_topic.send(kafka, [record])


def tell_or_report(kafka: Kafka, process: str, report: Callable[[str], None]) -> None:
    """Tell it of a process that has ended already, or report that nobody could be told."""
    try:
        tell(kafka, process)
    except OperatorError as error:
        report(
            f"ended, but nobody could be told that it was wished ({error}): ProcessDown will fire until, once Kafka "
            f"answers, `sluice control flag {flag(process)} on` says so"
        )

"""Says on `control` that a job or a process ended because somebody wished it: no alert that it is down follows."""

from __future__ import annotations

from collections.abc import Callable

from infra import control_topic, wall_clock
from infra.author import author
from schemas import control
from schemas.control_records import By, control_record, of_type
from schemas.errors import OperatorError
from schemas.settings import Kafka


def flag(name: str) -> str:
    """The name of the flag that says it of `name`."""
    return f"{control.STOPPED}{name}"


def tell(kafka: Kafka, name: str) -> None:
    """Tell it of a job of `jobs/names.py`, or of a process by its name at Prometheus. Raises OperatorError."""
    now_ms = wall_clock.now_ms()
    stopped = control.Flag(enabled=True)
    control_topic.send(kafka, [control_record("flag", flag(name), stopped, By(author(), now_ms))])


def told(kafka: Kafka) -> dict[str, int]:
    """When each job or process was last said to have ended as wished, in ms. Raises OperatorError."""
    flags = of_type(control_topic.current(kafka).values(), control.Flag)
    return {
        record.name.removeprefix(control.STOPPED): record.event_time_ms
        for record, said in flags
        if said.enabled and record.name.startswith(control.STOPPED)
    }


def tell_or_report(kafka: Kafka, process: str, report: Callable[[str], None]) -> None:
    """Tell it of a process that has ended already, or report that nobody could be told."""
    try:
        tell(kafka, process)
    except OperatorError as error:
        report(
            f"ended, but nobody could be told that it was wished ({error}): ProcessDown will fire until, once Kafka "
            f"answers, `sluice control flag {flag(process)} on` says so"
        )

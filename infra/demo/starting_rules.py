"""The rules that a new installation starts with, put on the control topic when it has none."""

from __future__ import annotations

from infra import control_topic, wall_clock
from infra.author import author
from schemas import control
from schemas.control_records import By, control_record
from schemas.settings import Settings
from serving.rules.catalogue import STARTING_RULES


def ensure(settings: Settings) -> tuple[int, bool]:
    """How many rules there are, and whether they were put there just now."""
    known = control_topic.current(settings.kafka).values()
    there = [record for record in known if record.kind == "rule" and control.payload(record) is not None]
    if there:
        return len(there), False
    by = By(author(), wall_clock.now_ms(), "starting rule")
    records = [control_record("rule", name, rule, by) for name, rule in STARTING_RULES.items()]
    control_topic.send(settings.kafka, records)
    return len(records), True

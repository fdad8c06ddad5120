"""An online model put in place or taken away by hand, with the audit record that a rollback needs."""

from __future__ import annotations

import getpass
import time

import click

from infra import control_topic, learner_promotion
from infra.learner_promotion import By
from schemas import codec, control
from schemas.control import OnlineModel
from schemas.errors import EventError, InputError
from schemas.events import ControlRecord
from schemas.settings import Settings


def publish(settings: Settings, name: str, wanted: OnlineModel | None, note: str) -> None:
    """Send the record and its audit record, if a job would read both. Raises InputError for a champion."""
    present = learner_promotion.online_models(control_topic.current(settings.kafka).values())
    by = By(getpass.getuser(), time.time_ns() // 1_000_000, note)
    records = learner_promotion.set_one(present, name, wanted, by)
    try:
        for record in records:
            control.payload(codec.decode(ControlRecord, codec.encode(record)))
    except EventError as error:
        raise InputError(str(error)) from error
    control_topic.send(settings.kafka, records)
    click.echo(f"online_model/{name} " + ("is in force" if wanted is not None else "is removed"))

"""An online model put in place or taken away by hand, with the audit record that a rollback needs."""

from __future__ import annotations

import click

from infra import control_topic, wall_clock
from infra.author import author
from infra.learner_changes import set_one
from infra.learners_in_force import online_models
from schemas.control import OnlineModel
from schemas.control_records import By
from schemas.settings import Settings


def publish(settings: Settings, name: str, wanted: OnlineModel | None, note: str) -> None:
    """Send the record and its audit record. Raises InputError for a champion, and what `control_topic.send` raises."""
    present = online_models(control_topic.current(settings.kafka).values())
    by = By(author(), wall_clock.now_ms(), note)
    control_topic.send(settings.kafka, set_one(present, name, wanted, by))
    click.echo(f"online_model/{name} " + ("is in force" if wanted is not None else "is removed"))

"""`--flink`: the cluster that a command about a job speaks to."""

from __future__ import annotations

import click
import msgspec

from schemas.errors import InputError
from schemas.settings import Flink, Settings

option = click.option("--flink", metavar="HOST:PORT", help="REST address of the cluster; default is the local stack's.")


def on_cluster(settings: Settings, address: str | None) -> Settings:
    """The settings with this cluster. Raises InputError when it is no address."""
    if address is None:
        return settings
    try:
        return msgspec.structs.replace(settings, flink=Flink(address))
    except ValueError as error:
        raise InputError(f"--flink: {error}") from error

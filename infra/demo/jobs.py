"""The jobs of a demo: submitted when they do not run, and what their state already knows of the customers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra import checkpoints, flink_client, wall_clock
from infra.stack import flink_jobs
from infra.stack.home import Home
from jobs.names import SCORE
from schemas.errors import UnansweredError
from schemas.settings import Settings


class Known(msgspec.Struct, frozen=True):
    """Up to when what customers did went through which run of the job; worlds of other sizes have other customers."""

    job_id: str
    customers: int
    until_ms: int


def ensure(settings: Settings, name: str) -> str:
    """The id of the running job, which is resumed when it does not run. Raises what `flink_client.submit` raises."""
    return flink_client.running(settings).get(name) or flink_client.resume(name, settings)


def failure(settings: Settings, name: str) -> str | None:
    """Why the job does not run as far as can be known, None while it does."""
    try:
        found = next((job for job in flink_jobs.jobs(settings) if job.name == name), None)
    except UnansweredError as error:
        return str(error)
    if found is None:
        return f"job {name} is gone"
    if found.state == "RUNNING":
        return None
    return f"job {name} is {found.state.lower()}" + (f": {found.root_cause}" if found.root_cause else "")


def known_until_ms(settings: Settings, job_id: str, customers: int, name: str = SCORE) -> int:
    """The time up to which the state of that job knows these customers, 0 when it has never seen them."""
    try:
        known = msgspec.json.decode(_file(settings, name).read_bytes(), type=Known)
    except (FileNotFoundError, msgspec.MsgspecError):
        return 0
    same = known.customers == customers and checkpoints.goes_back_to(settings, name, job_id, known.job_id)
    return known.until_ms if same else 0


def remember(settings: Settings, job_id: str, customers: int, name: str = SCORE) -> None:
    """Note that the state of that job knows these customers up to now."""
    file = _file(settings, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(Known(job_id, customers, wall_clock.now_ms())))
    partial.replace(file)


def _file(settings: Settings, name: str) -> Path:
    return Home.of(settings).root / "demo" / f"known-{name}.json"

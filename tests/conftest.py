"""What tests of every area share: the running stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings as hypothesis_settings

from infra import flink_client, topics
from infra import stack as local_stack
from infra.stack import flink_jobs
from jobs.names import FRAUD_JOBS
from schemas import settings
from schemas.settings import Settings
from serving.stores import cassandra_history

RUNNING_TIMEOUT_S = 180
STACKS = "stack"
# How far what needs no stack stands back: what needs one takes longest, and must not wait for the rest.
NICENESS = 5

# A busy machine makes no example wrong.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


# Before xdist reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a stack runs in one process, first what brings up one of its own; the rest beside it, file by file.

    What asks for the fixture `stack` comes last of it: until then the shared stack has no jobs, and takes little.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_place(item)))
    items.sort(key=_turn)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # For good: no process turns back to a stack after the rest (`_turn`), and only root could.
    if "PYTEST_XDIST_WORKER" in os.environ and _place(item) != STACKS:
        os.nice(max(0, NICENESS - os.nice(0)))


def _place(item: pytest.Item) -> str:
    return str(item.path) if item.get_closest_marker("stack") is None else STACKS


def _turn(item: pytest.Item) -> tuple[bool, bool, bool]:
    mark = item.get_closest_marker("stack")
    own = mark is not None and mark.kwargs.get("own", False)
    return mark is None, not own, "stack" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def stack() -> Settings:
    """The settings of the local stack, with every part healthy and every job running.

    What is missing is started; nothing is stopped afterwards, so a stack that was there before stays as it was.
    """
    given = settings.read(None)
    local_stack.up(given)
    topics.create(given)
    cassandra_history.create_schema(given.cassandra)
    for job in FRAUD_JOBS:
        if job not in flink_client.running(given):
            flink_client.submit(job, given)
    flink_jobs.wait_running(given, FRAUD_JOBS, RUNNING_TIMEOUT_S)
    return given


@pytest.fixture(scope="module")
def run_job(stack: Settings) -> Iterator[Callable[[str, Settings], None]]:
    """Runs a job that does not run yet until the tests of the file are done: others need its slot."""
    started: list[str] = []

    def run(name: str, given: Settings) -> None:
        if name not in flink_client.running(stack):
            flink_client.submit(name, given)
            started.append(name)
        flink_jobs.wait_running(stack, (name,), RUNNING_TIMEOUT_S)

    yield run
    for name in started:
        flink_client.cancel(name, stack)

"""What tests of every area share: the running stack."""

from __future__ import annotations

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

# A busy machine makes no example wrong.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


# Before xdist reads the marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs real parts runs in one process, beside all the rest; first what brings up parts of its own.

    Until somebody asks for the fixture `stack`, its jobs do not run, and leave the processor to those.
    """
    for item in items:
        if item.get_closest_marker("stack"):
            item.add_marker(pytest.mark.xdist_group("stack"))
    items.sort(key=_uses_the_shared_stack)


def _uses_the_shared_stack(item: pytest.Item) -> bool:
    return item.get_closest_marker("stack") is None or "stack" in getattr(item, "fixturenames", ())


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

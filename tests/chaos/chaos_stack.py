"""A stack that may be broken: ports and a home of its own, both jobs on it, one TaskManager to spare."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos_log import unread
from chaos_model import promote_small_model
from confluent_kafka import KafkaException

from infra import flink_client, stack, topics
from infra.demo import starting_rules
from infra.stack import flink_jobs
from jobs.names import FRAUD_JOBS
from schemas.errors import UnansweredError
from schemas.settings import Job, Ports, Settings, Stack
from schemas.topics import DECISIONS, FEATURE_UPDATES, ITEMS, LABELS, RANKINGS, RECOMMENDATIONS, TRANSACTIONS
from serving.stores import cassandra_history

BASE_PORT = 26000
SCORING = "score_transactions"
STARTED_S = 240
READERS = (
    ("sluice-score_transactions-score", (TRANSACTIONS, LABELS)),
    ("sluice-materialize-online", (DECISIONS, FEATURE_UPDATES)),
    ("sluice-materialize-history", (DECISIONS,)),
    ("sluice-materialize-lists", (RECOMMENDATIONS,)),
    ("sluice-materialize-items", (ITEMS, RANKINGS)),
    ("sluice-materialize-list_history", (RECOMMENDATIONS,)),
)


def settings(home: Path) -> Settings:
    """One bucket, so that the order of a partition stays the order of every stage."""
    (home / "lib").symlink_to(Path(Settings().stack.home).resolve() / "lib")
    # The metric ports follow each other, one for each TaskManager.
    ports = Ports(**{name: BASE_PORT + 10 * number for number, name in enumerate(Ports.__struct_fields__)})
    return Settings(
        stack=Stack(home=str(home), ports=ports, task_managers=len(FRAUD_JOBS) + 1),
        job=Job(parallelism=1, buckets=1, checkpoint_ms=3000),
    )


def start(given: Settings) -> None:
    """Every part healthy, rules and a model in force, both jobs running."""
    stack.up(given)
    topics.create(given)
    cassandra_history.create_schema(given.cassandra)
    starting_rules.ensure(given)
    promote_small_model(given)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda job: flink_client.submit(job, given), FRAUD_JOBS))
    flink_jobs.wait_running(given, FRAUD_JOBS, STARTED_S)


def host(given: Settings, job: str) -> str:
    """The TaskManager that runs the job."""
    found = flink_jobs.runner(given, flink_client.running(given)[job])
    assert found is not None, f"no TaskManager runs {job}"
    return found


def drained(given: Settings) -> bool:
    """Whether a checkpoint of each job covers all that lies in its topics."""
    return all(unread(given, group, topic.name) == 0 for group, read in READERS for topic in read)


def wait(done: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Until it is done; a part that does not answer is asked again."""
    deadline = time.monotonic() + timeout_s
    while not _answered(done):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.5)


def _answered(done: Callable[[], bool]) -> bool:
    try:
        return done()
    except (UnansweredError, KafkaException):
        # A broker that has just come back answers before it leads its partitions.
        return False

"""The jobs by name: what `sluice submit` may be given, and the bench's own."""

from __future__ import annotations

from jobs.bench_reference.job import BENCH_REFERENCE
from jobs.join_labels.job import JOIN_LABELS
from jobs.materialize.job import MATERIALIZE
from jobs.recommend.job import RECOMMEND
from jobs.runtime.stage import Job
from jobs.score_transactions.job import SCORE_TRANSACTIONS
from jobs.watch_drift.job import WATCH_DRIFT

_ALL = (SCORE_TRANSACTIONS, MATERIALIZE, RECOMMEND, JOIN_LABELS, WATCH_DRIFT, BENCH_REFERENCE)
JOBS: dict[str, Job] = {job.name: job for job in _ALL}

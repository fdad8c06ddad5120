"""The jobs by name: what `sluice submit` may be given."""

from __future__ import annotations

from jobs.materialize.job import MATERIALIZE
from jobs.runtime.stage import Job
from jobs.score_transactions.job import SCORE_TRANSACTIONS

JOBS: dict[str, Job] = {job.name: job for job in (SCORE_TRANSACTIONS, MATERIALIZE)}

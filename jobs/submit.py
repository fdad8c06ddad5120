"""Submits one job to a Flink cluster: `python -m jobs.submit JOB`, with settings as JSON on standard input.

A process of its own, because PyFlink's gateway must find its class path in the environment it starts in;
`sluice submit` prepares that. Prints the job id as its last line.
"""

from __future__ import annotations

import argparse
import sys

import msgspec

from jobs.catalogue import JOBS
from jobs.runtime.graph import Submission, build
from schemas.settings import Settings


def main() -> None:
    """Build the graph and hand it to the cluster."""
    parser = argparse.ArgumentParser(prog="python -m jobs.submit")
    parser.add_argument("job", choices=sorted(JOBS))
    parser.add_argument("--from-savepoint", default=None)
    parser.add_argument("--checkpoints", default=None)
    parser.add_argument("--jar", default=None)
    given = parser.parse_args()
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    submission = Submission(given.from_savepoint, given.checkpoints, given.jar)
    result = build(JOBS[given.job], settings, submission).execute()
    sys.stdout.write(f"{result.get_job_client().get_job_id()}\n")


if __name__ == "__main__":
    main()

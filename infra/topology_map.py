"""`python -m infra.topology_map`: which job reads and writes which topics, for the console; a test compares."""

from __future__ import annotations

from pathlib import Path

import msgspec

from jobs.catalogue import JOBS
from jobs.names import JOB_NAMES

FILE = Path(__file__).parents[1] / "serving" / "api" / "console" / "topology.json"


class JobTopics(msgspec.Struct, frozen=True):
    """A job between its topics, each named once, in the order of its flows."""

    name: str
    reads: list[str]
    writes: list[str]


def render() -> str:
    """The file's text."""
    jobs = [
        JobTopics(
            name,
            list(dict.fromkeys(topic.name for flow in JOBS[name].flows for topic in flow.sources)),
            list(dict.fromkeys(topic.name for flow in JOBS[name].flows for topic in flow.outputs)),
        )
        for name in JOB_NAMES
    ]
    return msgspec.json.format(msgspec.json.encode(jobs), indent=1).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(render())

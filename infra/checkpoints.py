"""What the local stack keeps of the state of jobs that ended, and which of it a job goes on with.

    <home>/data/flink/checkpoints/<job>/<run>/chk-<n>/_metadata   a run is a job id of Flink
    <home>/data/flink/checkpoints/<job>/<run>.from                the state that the run began with
    <home>/data/flink/savepoints/<job>/savepoint-<run>-<..>/_metadata

Flink writes `_metadata` last: a checkpoint without it was never completed.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from infra.stack import process
from infra.stack.home import Home
from infra.stack.part import LOOPBACK
from schemas.settings import Settings

# Each run that ended by force leaves its last checkpoint; of those before the newest none is ever asked for.
KEPT_RUNS = 3
# So many resumed runs are noted and followed back.
MAX_ANCESTORS = 1000


def kept_here(settings: Settings) -> bool:
    """Whether the cluster of the settings is the local stack's own, so that its folders are known."""
    cluster = urlsplit(settings.flink.rest)
    own = cluster.hostname in {LOOPBACK, "localhost"} and cluster.port == settings.stack.ports.flink_rest
    # Another cluster may listen on that port.
    return own and process.find(Home.of(settings), "job-manager") is not None


def folder(settings: Settings, job: str) -> Path:
    """Where the local stack puts the job's checkpoints."""
    return Home.of(settings).data("flink") / "checkpoints" / job


def savepoints(settings: Settings, job: str) -> Path:
    """Where the local stack puts the job's savepoints."""
    return Home.of(settings).data("flink") / "savepoints" / job


def newest(settings: Settings, job: str) -> str | None:
    """The checkpoint or savepoint of the job that was completed last, as a URI; None when there is none."""
    found = [*folder(settings, job).glob("*/chk-*/_metadata"), *savepoints(settings, job).glob("savepoint-*/_metadata")]
    # A file may be on its way out while its folder is listed.
    completed = [(metadata.stat().st_mtime_ns, metadata) for metadata in found if metadata.is_file()]
    return max(completed)[1].parent.as_uri() if completed else None


def note(settings: Settings, job: str, run: str, state: str | None) -> None:
    """Note which state a run began with, and delete the checkpoints of runs long ended."""
    home = folder(settings, job)
    home.mkdir(parents=True, exist_ok=True)
    if state is not None:
        (home / f"{run}.from").write_text(state)
    began = {path: path.stat().st_mtime_ns for path in home.iterdir() if path.is_dir()}
    for old in sorted(began, key=began.__getitem__)[: -KEPT_RUNS - 1]:
        if state is None or f"/{old.name}/" not in state:
            shutil.rmtree(old, ignore_errors=True)
    for forgotten in sorted(home.glob("*.from"), key=lambda path: path.stat().st_mtime_ns)[:-MAX_ANCESTORS]:
        forgotten.unlink()


def goes_back_to(settings: Settings, job: str, run: str, earlier: str) -> bool:
    """Whether the state of a run is that of an earlier one, carried on."""
    for _ in range(MAX_ANCESTORS):
        if run == earlier:
            return True
        try:
            state = (folder(settings, job) / f"{run}.from").read_text()
        except FileNotFoundError:
            return False
        if match := re.search(r"/([0-9a-f]{32})/chk-\d+/?$", state):
            run = match[1]
        elif match := re.search(r"/savepoint-([0-9a-f]{6})-[^/]*/?$", state):
            # A savepoint's name has the beginning of the run that it is of.
            if earlier.startswith(match[1]):
                return True
            run = next((path.stem for path in folder(settings, job).glob(f"{match[1]}*.from")), "")
        else:
            return False
    return False

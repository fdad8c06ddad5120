"""Checkpoints of one running job that fail because their folders can not be made; all others, and its state, stay."""

from __future__ import annotations

from alert_stack import until

from infra import checkpoints, flink_client
from infra.stack import flink_rest
from schemas.settings import Settings

# More than the alert waits for, fewer than the job bears in a row (jobs/runtime/graph.py): then it would restart.
REFUSED = 6


def refuse_checkpoints(settings: Settings, job: str) -> None:
    """Ask for checkpoints where files stand in the place of their folders, until REFUSED have failed.

    A checkpoint that fails uses up its number, so that the one after the last file succeeds, whatever happens to us.
    """
    run = flink_client.running(settings)[job]
    folder = checkpoints.folder(settings, job) / run

    def failed() -> int:
        return int(flink_rest.ask(settings, f"/jobs/{run}/checkpoints")["counts"]["failed"])

    known = [one["id"] for one in flink_rest.ask(settings, f"/jobs/{run}/checkpoints")["history"]]
    assert known, f"{job} has made no checkpoint yet"
    before = failed()
    files = [folder / f"chk-{max(known) + number}" for number in range(1, REFUSED + 1)]
    try:
        for file in files:
            file.touch()
        for number in range(1, REFUSED + 1):
            flink_rest.ask(settings, f"/jobs/{run}/checkpoints", {})
            # One under way comes first, and may take longer than the alert looks back.
            until(lambda wanted=before + number: failed() >= wanted, f"{number} checkpoints of {job} have failed")
    finally:
        for file in files:
            # One that was begun meanwhile has its folder.
            if file.is_file():
                file.unlink()

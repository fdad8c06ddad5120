"""What a bench needs of the cluster is asked before it measures anything."""

import pytest
from rich.console import Console

from infra.bench import run
from infra.demo.steps import Steps
from jobs.names import MATERIALIZE, SCORE
from schemas.errors import PartFailedError
from schemas.settings import Settings


@pytest.mark.parametrize(
    ("names", "running", "free", "wanted"),
    [
        (["latency"], (), 2, None),
        (["latency"], (), 1, 2),
        (["latency", "recovery"], (), 2, 3),
        (["recovery"], (SCORE, MATERIALIZE), 0, 1),
        (["reference"], (SCORE, MATERIALIZE), 1, None),
    ],
)
def test_too_few_slots_end_it_at_once(monkeypatch, names, running, free, wanted):
    class BegunError(Exception):
        """It went on to its first step."""

    def begin(*_):
        raise BegunError

    monkeypatch.setattr(run.flink_client, "running", lambda _: dict.fromkeys(running, "a1"))
    monkeypatch.setattr(run.flink_client, "free_slots", lambda _: free)
    monkeypatch.setattr(run, "_machine", begin)
    with pytest.raises(BegunError if wanted is None else PartFailedError) as raised:
        run.run(Settings(), names, run.QUICK, Steps(Console(quiet=True)), begin)
    assert wanted is None or f"needs {wanted}, and {free} are free" in str(raised.value)

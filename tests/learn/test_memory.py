"""What learning costs in memory: it fills its windows, then stays.

`LEARN_EXAMPLES=10000000 pytest tests/learn/test_memory.py` tries what the design asks for; a tenth of a per cent of it
is enough to see a list that somebody forgot to bound.
"""

from __future__ import annotations

import os

import pytest

from infra.bench import learner, report
from infra.bench.run import MEASUREMENTS

EXAMPLES = int(os.environ.get("LEARN_EXAMPLES", "50000"))


@pytest.mark.timeout(3_600)
def test_memory_is_flat_once_the_windows_are_full() -> None:
    found = learner.measure(EXAMPLES, learner.FEW_FEATURES)
    assert (found.count, len(found.rss_mb)) == (EXAMPLES, learner.LOOKS)
    assert found.rss_mb[-1] - found.rss_mb[learner.LOOKS // 2 - 1] < report.LEARNER_GROWTH_MB, found.rss_mb
    # The line of the bench, of the same figures.
    rows = "\n".join(report.rows({"learner": found}))
    assert f"{found.per_s:,.0f}" in rows
    assert ">= 10,000" in rows
    assert {"learner", "learner-memory"} <= set(MEASUREMENTS)
    (grown, looks) = report.rows({"learner-memory": found})
    assert f"over {EXAMPLES:,} examples" in grown
    assert f"{found.rss_mb[0]:.0f} / " in looks

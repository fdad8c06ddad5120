"""An online model in the running scoring job: by control and snapshot alone, and a bad snapshot is refused."""

from __future__ import annotations

import pytest

from schemas.events import DeadLetter
from schemas.topics import DEAD_LETTERS, SNAPSHOTS


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_snapshot_scores_from_the_next_batches_on_and_a_bad_one_leaves_it(loop):
    loop.publish(0.01, 10)
    loop.switch("shadow")
    shadow = loop.decided(lambda decision: f"{loop.name}@10" in decision.online)
    assert shadow.online[f"{loop.name}@10"].weight == 0
    loop.switch("champion")
    decision = loop.decided(lambda decision: decision.online[f"{loop.name}@10"].weight == 1)
    assert decision.score == decision.online[f"{loop.name}@10"].score == pytest.approx(1 / (1 + 2.718281828**-1))
    loop.publish(0.02, 20, sha256="0" * 64)
    # A batch takes the refused one in and tells of it.
    assert loop.decided(lambda decision: True).online.keys() == {f"{loop.name}@10"}
    letter = loop.read(DEAD_LETTERS, DeadLetter, lambda letter: letter.key == loop.name.encode())
    assert (letter.reason, letter.source.topic) == ("refused_snapshot", SNAPSHOTS.name)
    assert "wrong SHA-256" in letter.detail
    loop.publish(0.03, 30)
    assert loop.decided(lambda decision: f"{loop.name}@30" in decision.online).score > 0.9

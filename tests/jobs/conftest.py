"""What tests of running jobs share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scoring_loop import Loop

from schemas.settings import Settings


@pytest.fixture
def loop(stack: Settings) -> Iterator[Loop]:
    made = Loop(stack)
    yield made
    made.close()

"""The person whom tests of alerts tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alert_builders import Receiver


@pytest.fixture
def broken() -> dict[str, int]:
    """Paths at which the receiver takes nothing, and the status it answers there: none, unless a file says so."""
    return {}


@pytest.fixture
def receiver(broken: dict[str, int]) -> Iterator[Receiver]:
    opened = Receiver(broken)
    yield opened
    opened.close()

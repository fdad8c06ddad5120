"""Tests that share the running stack must not run beside each other."""

from __future__ import annotations

import os

import pytest


@pytest.mark.stack
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="all tests run in one process")
def test_what_needs_the_stack_goes_to_one_process(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@stack")

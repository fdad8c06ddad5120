"""A model of the registry as a shadow in the running scoring job: it is logged, compared, and answers nothing."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import models
from jobs.train_fraud.train import NAME
from serving.registry import Registry
from tests import small_fraud_model


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_shadow_is_logged_beside_what_answers_and_ends_without_a_trace(stack, loop):
    def types(*words: str) -> str:
        done = CliRunner().invoke(models.command, words, obj=stack, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    registry = Registry(Path(stack.registry.path))
    before = loop.decided(lambda decision: True)
    version = small_fraud_model.registered(stack, "tester", time.time_ns() // 1_000_000)
    label = f"{NAME}@{version}"
    try:
        assert types("shadow", NAME, version) == f"{label} is the shadow\n"
        beside = loop.decided(lambda decision: label in decision.online)
        assert beside.online[label].weight == 0
        assert 0 < beside.online[label].score < 1
        assert beside.timings_us["shadow"] > 0
        assert beside.model == before.model != label
        if before.model:
            told = json.loads(types("compare", NAME, "--since", "1h", "--json").splitlines()[-1])
            assert (told["champion"], told["shadow"]) == (before.model, label)
            assert told["differences"]["payments"] >= 1
        types("shadow", NAME, "--off")
        after = loop.decided(lambda decision: label not in decision.online)
        assert after.model == before.model
    finally:
        if registry.shadow(NAME) == version:
            types("shadow", NAME, "--off")
        types("promote", NAME, version, "--stage", "Archived")
        shutil.rmtree(registry.root / NAME / version, ignore_errors=True)

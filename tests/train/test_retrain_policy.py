"""When a model is trained anew: the pure policy of `[retrain]`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.train_fraud.retraining import Facts, Request, decide, last_due_ms, needs_count
from schemas.settings import Retrain
from schemas.units import DAY_MS

# A Wednesday, 12:00 UTC.
NOW_MS = round(datetime(2026, 7, 15, 12, tzinfo=UTC).timestamp() * 1000)
QUIET = Retrain(schedule="off", min_new_samples=10, min_interval_days=1)

policies = st.builds(
    Retrain,
    schedule=st.sampled_from(["off", "daily", "weekly", "monthly"]),
    on_alerts=st.booleans(),
    new_samples=st.integers(0, 50),
    min_new_samples=st.integers(0, 50),
    min_interval_days=st.sampled_from([0.0, 0.5, 1.0, 7.0]),
    window_days=st.integers(73, 180),
)
asked = st.builds(Request, st.integers(NOW_MS - 60 * DAY_MS, NOW_MS), st.sampled_from(["FeatureDriftSevere", "X"]))
known = st.builds(
    Facts,
    now_ms=st.just(NOW_MS),
    trained_ms=st.none() | st.integers(NOW_MS - 60 * DAY_MS, NOW_MS),
    new_samples=st.integers(0, 60),
    requests=st.lists(asked, max_size=4).map(tuple),
)


@given(policies, known)
def test_it_trains_only_when_something_calls_for_it_and_nothing_speaks_against_it(policy, facts):
    verdict = decide(policy, facts)
    assert verdict.train == (bool(verdict.triggers) and not verdict.against)
    if verdict.train and facts.trained_ms is not None:
        assert facts.now_ms - facts.trained_ms >= policy.min_interval_days * DAY_MS
        assert facts.new_samples >= policy.min_new_samples
    # Where nothing is asked of the history, its payments would have changed nothing.
    if not needs_count(policy, replace(facts, new_samples=None)):
        assert not verdict.train
    if facts.trained_ms is None:
        assert verdict.triggers == ("there is no model yet",)
    assert 0 <= facts.now_ms - verdict.from_ms <= policy.window_days * DAY_MS + 1


@given(policies, known)
def test_more_samples_and_more_requests_never_take_a_training_back(policy, facts):
    more = replace(
        facts, new_samples=facts.new_samples + 5, requests=(*facts.requests, Request(NOW_MS, "FeatureDriftSevere"))
    )
    assert decide(policy, more).train or not decide(policy, facts).train


@given(policies, known)
def test_what_was_trained_just_now_is_called_for_by_samples_alone(policy, facts):
    verdict = decide(policy, replace(facts, trained_ms=NOW_MS))
    assert all("new payments" in trigger for trigger in verdict.triggers)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [("daily", "2026-07-15"), ("weekly", "2026-07-12"), ("monthly", "2026-07-01")],
)
def test_a_schedule_is_due_at_its_midnight_and_not_before(schedule, due):
    due_ms = round(datetime.fromisoformat(f"{due}T00:00Z").timestamp() * 1000)
    policy = msgspec.structs.replace(QUIET, schedule=schedule, min_interval_days=0)
    assert last_due_ms(policy, NOW_MS) == due_ms
    assert last_due_ms(policy, due_ms) == due_ms
    assert last_due_ms(policy, due_ms - 1) < due_ms
    assert decide(policy, Facts(now_ms=NOW_MS, trained_ms=due_ms - 1, new_samples=10)).train
    assert not decide(policy, Facts(now_ms=NOW_MS, trained_ms=due_ms, new_samples=10)).train


def test_both_sides_of_the_interval_and_of_the_samples():
    request = (Request(NOW_MS, "AccuracyDropped"),)
    enough = Facts(now_ms=NOW_MS, trained_ms=NOW_MS - DAY_MS, new_samples=10, requests=request)
    assert decide(QUIET, enough).triggers == ("asked for by AccuracyDropped",)
    assert decide(QUIET, enough).train
    assert decide(QUIET, replace(enough, new_samples=9)).against == (
        "9 new payments with labels of 10 that are needed",
    )
    assert decide(QUIET, replace(enough, trained_ms=NOW_MS - DAY_MS + 1)).against == (
        "trained 24.0 h ago, not again within 1 days",
    )
    assert not decide(msgspec.structs.replace(QUIET, on_alerts=False), enough).triggers

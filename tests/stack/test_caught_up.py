"""What waits for jobs goes on when none has anything left of what was before."""

import pytest

from infra import caught_up
from infra.stack.flink_jobs import Checkpoint, JobState
from jobs.names import SCORE
from schemas.settings import Settings

JOBS = ("score", "materialize")


def waited(lags, patience_s=600.0, few=caught_up.FEW):
    """What `wait` says of lags that it sees one after the other, and what it told meanwhile."""
    told, seen = [], iter(lags)
    done = caught_up.wait(lambda: next(seen), JOBS, told.append, sleep=lambda _: None, patience_s=patience_s, few=few)
    return done, told


def test_it_waits_until_every_job_has_read_nearly_everything():
    behind = {"score": 0, "materialize": 90_000}
    done, told = waited([behind, {"score": 3, "materialize": 501}, {"score": 3, "materialize": 500}])
    assert done
    assert told == ["behind: materialize 90,000", "behind: materialize 501"]


def test_what_measures_how_soon_waits_for_more_than_what_measures_how_many():
    done, told = waited([{"score": 0, "materialize": 11}, {"score": 10, "materialize": 0}], few=10)
    assert done
    assert told == ["behind: materialize 11"]


def test_a_lag_that_nobody_knows_is_no_lag_of_nothing():
    done, told = waited([{"score": None}, {"score": 0, "materialize": 0}])
    assert done
    assert told == ["behind: score ?, materialize ?"]


def test_it_gives_up_on_a_job_that_stays_behind():
    behind = {"score": 0, "materialize": 90_000}
    done, told = waited([behind] * 3, patience_s=2.5 * caught_up.LOOK_S)
    assert not done
    assert len(told) == 3


def running(lag, checkpoint):
    return JobState(SCORE, "id", "RUNNING", 3, 3, 1, 0, 0, checkpoint, lag, None)


@pytest.mark.parametrize(
    ("job", "lag"),
    [
        (running(5, None), 5),
        (running(None, Checkpoint(2, 1, 1)), 70),
        # What was committed may be of the run before.
        (running(None, None), None),
    ],
)
def test_kafka_knows_the_lag_of_a_job_that_read_nothing_from_its_first_checkpoint_on(monkeypatch, job, lag):
    monkeypatch.setattr("infra.consumer_lag.of_job", lambda *_: 70)
    assert caught_up._lag(Settings(), job) == lag

"""What waits for jobs goes on when none has anything left of what was before."""

from infra import caught_up

JOBS = ("score", "materialize")


def waited(lags, patience_s=600.0):
    """What `wait` says of lags that it sees one after the other, and what it told meanwhile."""
    told, seen = [], iter(lags)
    done = caught_up.wait(lambda: next(seen), JOBS, told.append, sleep=lambda _: None, patience_s=patience_s)
    return done, told


def test_it_waits_until_every_job_has_read_nearly_everything():
    behind = {"score": 0, "materialize": 90_000}
    done, told = waited([behind, {"score": 3, "materialize": 501}, {"score": 3, "materialize": 500}])
    assert done
    assert told == ["behind: materialize 90,000", "behind: materialize 501"]


def test_a_lag_that_nobody_knows_is_no_lag_of_nothing():
    done, told = waited([{"score": None}, {"score": 0, "materialize": 0}])
    assert done
    assert told == ["behind: score ?, materialize ?"]


def test_it_gives_up_on_a_job_that_stays_behind():
    behind = {"score": 0, "materialize": 90_000}
    done, told = waited([behind] * 3, patience_s=2.5 * caught_up.LOOK_S)
    assert not done
    assert len(told) == 3

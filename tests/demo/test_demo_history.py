"""The customers' past: noted as it is sent, gone when it is decided, and named when the job does not decide."""

import pytest
from demo_builders import decision, payment

from infra import checkpoints
from infra.demo import history, jobs
from infra.demo.flow import FlowMeter
from infra.demo.watch import require_answers
from jobs.names import SCORE
from schemas.errors import PartFailedError
from schemas.settings import Settings, Stack


def _sent(past, *ids):
    return list(past.noted([payment(event_id).transaction for event_id in ids]))


def test_the_past_is_over_when_each_payment_has_its_decision():
    past = history.Past()
    assert [event.event_id for event in _sent(past, "a", "b")] == ["a", "b"]
    past.answered(decision("foreign"), 1.0)
    assert (past.waiting, past.sent, past.first_s) == (2, 2, None)
    past.answered(decision("b"), 2.0)
    past.answered(decision("a"), 3.0)
    assert (past.waiting, past.first_s) == (0, 2.0)


def test_a_job_that_decides_nothing_is_named_with_its_reason(monkeypatch):
    past = history.Past()
    _sent(past, "a")
    monkeypatch.setattr(history, "PATIENCE_S", 0.2)
    monkeypatch.setattr(jobs, "failure", lambda *_: "job score_transactions is restarting: no module named pemja")
    with pytest.raises(PartFailedError, match=r"no decision came for 0 s: job score_transactions is restarting"):
        history.wait(Settings(), past, lambda: None, lambda _: None)


def test_what_ended_the_reader_ends_the_waiting():
    past = history.Past()
    _sent(past, "a")

    def broken():
        raise PartFailedError("reading decisions")

    with pytest.raises(PartFailedError, match="reading decisions"):
        history.wait(Settings(), past, broken, lambda _: None)


def test_a_run_of_the_job_knows_only_its_own_customers(tmp_path):
    settings = Settings(stack=Stack(home=str(tmp_path)))
    assert jobs.known_until_ms(settings, "job-1", 100) == 0
    jobs.remember(settings, "job-1", 100)
    assert jobs.known_until_ms(settings, "job-1", 100) > 0
    assert jobs.known_until_ms(settings, "job-2", 100) == 0
    assert jobs.known_until_ms(settings, "job-1", 200) == 0


def test_a_job_that_was_resumed_still_knows_the_customers_of_the_run_before(tmp_path):
    settings = Settings(stack=Stack(home=str(tmp_path)))
    first, second, fresh = "a" * 32, "b" * 32, "c" * 32
    jobs.remember(settings, first, 100)
    checkpoints.note(settings, SCORE, second, f"file:///checkpoints/{SCORE}/{first}/chk-7")
    checkpoints.note(settings, SCORE, fresh, None)
    assert jobs.known_until_ms(settings, second, 100) == jobs.known_until_ms(settings, first, 100) > 0
    assert jobs.known_until_ms(settings, fresh, 100) == 0


def test_a_minute_without_any_answer_is_named_with_what_is_wrong(monkeypatch):
    monkeypatch.setattr(jobs, "failure", lambda *_: "job recommend is gone")
    meter = FlowMeter()
    meter.sent = 1_200
    with pytest.raises(PartFailedError, match=r"none of 1,200 interactions got a list: job recommend is gone"):
        require_answers(Settings(), history.INTERACTIONS, meter.flow(0.0))
    meter.answer(20.0)
    require_answers(Settings(), history.INTERACTIONS, meter.flow(1.0))

"""Questions to a JobManager that is slow, starting, gone, or says no."""

import http.server
import json
import threading
import time

import msgspec
import pytest
from click.testing import CliRunner

from infra import flink_client, publish, wished_stop
from infra.cli.status import command as status
from infra.cli.stop import command as stop
from infra.cli.submit import command as submit
from infra.demo import jobs as demo_jobs
from infra.stack import doctor, flink_jobs, flink_rest, part_state
from infra.stack.part_state import PartState
from jobs.names import SCORE
from schemas import control
from schemas.errors import NotFoundError, PartFailedError, UnansweredError
from schemas.settings import Flink, Kafka, Settings
from tests.ports import free_port

ALL = {"total": 3, "running": 3}
RUNNING = {"jobs": [{"jid": "a", "name": "score", "state": "RUNNING", "start-time": 2, "tasks": ALL}]}
NO_SLOTS = {"jobs": [RUNNING["jobs"][0] | {"tasks": {"total": 3, "running": 2, "scheduled": 1}}]}
ENDED = {"jobs": [{"jid": "z", "name": "score", "state": "FAILED", "start-time": 1, "tasks": ALL}]}


@pytest.fixture
def cluster(monkeypatch):
    """Each answer is given once, the last for good: JSON, bytes, a status code, or seconds of silence before it."""
    monkeypatch.setattr(flink_rest, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(flink_jobs, "POLL_S", 0.01)
    answers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, float):
                time.sleep(answer)
            self.send_response(answer if isinstance(answer, int) else 200)
            if answer == "cut":
                self.send_header("Content-Length", "1000")
            self.end_headers()
            said = {"errors": ["no such job"]} if isinstance(answer, int) else answer
            self.wfile.write(said if isinstance(said, bytes) else json.dumps(said).encode())

        def do_POST(self):
            self.do_GET()

        def do_PATCH(self):
            self.do_GET()

        def log_message(self, *words):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield answers, Settings(flink=Flink(rest=f"http://127.0.0.1:{server.server_port}"))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("answer", [1.0, 503, "cut"])
def test_a_job_manager_that_is_slow_starting_or_cut_off_has_not_answered(cluster, answer):
    answers, settings = cluster
    answers.append(answer)
    with pytest.raises(UnansweredError, match=r"Flink at http://127\.0\.0\.1:\d+ does not answer \(.*\); see `sluice"):
        flink_rest.ask(settings, "/jobs/overview")


def test_one_that_is_gone_has_not_answered():
    with pytest.raises(UnansweredError, match="refused"):
        flink_rest.ask(Settings(flink=Flink(rest=f"http://127.0.0.1:{free_port()}")), "/jobs/overview")


def test_a_refusal_is_an_answer(cluster):
    answers, settings = cluster
    answers.append(404)
    with pytest.raises(PartFailedError, match=r"refused /jobs/a: .*no such job"):
        flink_rest.ask(settings, "/jobs/a")


HTML = b"<!doctype html>\n<html>a shop</html>"


@pytest.mark.parametrize(
    ("answer", "said"), [(HTML, "is no JSON"), ({}, "has no slots-available"), ([], "has no slots-")]
)
def test_a_job_is_not_submitted_to_what_is_not_flink(cluster, answer, said):
    answers, settings = cluster
    answers.append(answer)
    address = settings.flink.rest.removeprefix("http://")
    with pytest.raises(PartFailedError) as caught:
        CliRunner().invoke(submit, [SCORE, "--flink", address], obj=Settings(), catch_exceptions=False)
    assert str(caught.value).startswith(f"{address} is not Flink's REST interface: /overview {said}")
    assert str(caught.value).endswith("; give its address as [flink] rest, or with --flink")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [HTML, {}])
@pytest.mark.parametrize("ask", [flink_client.running, flink_jobs.jobs, flink_jobs.task_managers])
def test_jobs_are_not_looked_for_in_what_is_not_flink(cluster, ask, answer):
    answers, settings = cluster
    answers.append(answer)
    with pytest.raises(PartFailedError, match="is not Flink's REST interface"):
        ask(settings)


def test_who_waits_for_a_job_asks_again_until_it_runs(cluster):
    answers, settings = cluster
    answers += [503, 0.5, {"jobs": []}, ENDED, NO_SLOTS, {"jobs": ENDED["jobs"] + RUNNING["jobs"]}]
    flink_jobs.wait_running(settings, ["score"], 30)
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (503, "does not answer"),
        ({"jobs": []}, "score is not there"),
        (ENDED, "score is failed"),
        (NO_SLOTS, "score is waiting"),
    ],
)
def test_who_waits_in_vain_is_told_what_the_job_is_instead(cluster, answer, said):
    answers, settings = cluster
    answers.append(answer)
    with pytest.raises(PartFailedError, match=f"not running after 0 s: .*{said}.*; see `sluice status`"):
        flink_jobs.wait_running(settings, ["score"], 0.2)


def test_a_savepoint_is_waited_for_while_the_job_manager_is_too_busy_to_answer(cluster, monkeypatch):
    answers, settings = cluster
    told = []
    monkeypatch.setattr(wished_stop.control_topic, "send", lambda _, records: told.extend(records))
    done = {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoint"}}
    answers += [RUNNING, {"request-id": "r"}, 503, {"status": {"id": "IN_PROGRESS"}}, done]
    assert flink_client.stop("score", settings) == "file:/savepoint"
    # No alert that it is down is to follow.
    assert [record.name for record in told] == ["stopped-score"]


@pytest.mark.parametrize(
    ("words", "done"), [([], "is stopped, its state is in file:/savepoint"), (["--now"], "is cancelled")]
)
def test_a_job_that_is_stopped_while_kafka_is_down_is_said_to_be_stopped_and_what_follows(
    cluster, monkeypatch, words, done
):
    monkeypatch.setattr(publish, "CONNECT_TIMEOUT_S", 0.3)
    answers, given = cluster
    settings = msgspec.structs.replace(given, kafka=Kafka(bootstrap=f"127.0.0.1:{free_port()}"))
    running = {"jobs": [RUNNING["jobs"][0] | {"name": SCORE}]}
    answers += [running, running, {"request-id": "r"}]
    answers += [] if words else [{"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoint"}}]
    ended = CliRunner().invoke(stop, [SCORE, *words], obj=settings)
    assert isinstance(ended.exception, PartFailedError)
    said = str(ended.exception)
    assert said.startswith(f"{SCORE} {done}, but `control` could not be told that this was wished (")
    assert "JobDown will fire" in said
    assert f"`sluice control flag stopped-{SCORE} on`" in said
    assert "\n" not in said


def test_stop_asks_the_cluster_that_is_named(cluster, monkeypatch):
    _, settings = cluster
    asked = []
    monkeypatch.setattr(flink_client, "running", lambda given: {SCORE: given.flink.rest})
    monkeypatch.setattr(flink_client, "cancel", lambda job, given: asked.append((job, given.flink.rest)))
    done = CliRunner().invoke(stop, [SCORE, "--now", "--flink", "http://cluster:8081"], obj=settings)
    assert (done.exit_code, asked) == (0, [(SCORE, "http://cluster:8081")])
    refused = CliRunner().invoke(stop, [SCORE, "--flink", "no address"], obj=settings)
    assert str(refused.exception).startswith("--flink: ")


def test_a_job_that_does_not_run_can_not_be_stopped(cluster):
    answers, settings = cluster
    answers.append(RUNNING)
    with pytest.raises(NotFoundError, match="no job other runs; running: score"):
        flink_client.stop("other", settings)


@pytest.mark.parametrize("flags", [[], ["--now"]])
def test_of_a_job_that_ended_by_something_else_it_is_noted_that_somebody_wished_it(cluster, monkeypatch, flags):
    answers, settings = cluster
    told = []
    monkeypatch.setattr(wished_stop.control_topic, "send", lambda _, records: told.extend(records))
    answers.append(RUNNING)
    done = CliRunner().invoke(stop, ["recommend", *flags], obj=settings, catch_exceptions=False)
    assert [record.name for record in told] == ["stopped-recommend"]
    assert control.payload(told[0]) == control.Flag(enabled=True)
    assert done.output.startswith("recommend does not run; noted that this is wished")


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_status_shows_the_parts_and_one_line_about_the_jobs(cluster, monkeypatch, flags):
    answers, settings = cluster
    answers.append(503)
    monkeypatch.setattr(part_state, "parts", lambda _: [PartState("job-manager", "2", 1, None, 1, 1.0, 1.0)])
    done = CliRunner().invoke(status, flags, obj=settings)
    assert isinstance(done.exception, UnansweredError)
    assert "job-manager" in done.stdout
    assert "no jobs" not in done.stdout


def test_the_doctor_finds_a_job_manager_that_does_not_answer(cluster, monkeypatch):
    answers, settings = cluster
    answers.append(503)
    monkeypatch.setattr(part_state, "parts", lambda _: [PartState("job-manager", "2", 1, None, 1, 1.0, 1.0)])
    found = {finding.what for finding in doctor.examine(settings)}
    assert any(what.startswith(f"Flink at {settings.flink.rest} does not answer (") for what in found)


def test_the_demo_says_that_nothing_is_known_of_its_job(cluster):
    answers, settings = cluster
    answers.append(503)
    assert "does not answer" in demo_jobs.failure(settings, "score")

"""What is read from the JobManager, on answers of the shape it gives."""

import http.server
import json
import re
import socket
import threading
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from infra import flink_client, topics
from infra.cli.status import command as status
from infra.cli.submit import command as submit
from infra.stack import doctor, flink_jobs, part_state
from infra.stack.flink_jobs import Checkpoint
from infra.stack.part_state import PartState
from schemas.settings import Flink, Job, Ports, Settings, Stack
from tests.ports import free_port

TRACE = """org.apache.flink.runtime.JobException: Recovery is suppressed
\tat org.apache.flink.A.b(A.java:1)
Caused by: java.lang.RuntimeException: wrapped
\tat org.apache.flink.A.b(A.java:1)
Caused by: ModuleNotFoundError: No module named 'pemja'
\tat org.apache.flink.A.b(A.java:1)
"""


@pytest.fixture
def cluster():
    """Answers by path; the settings point to it as JobManager and as Prometheus."""
    answers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers.get(self.path.partition("?")[0])
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *words):
            """Keep quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    yield answers, Settings(flink=Flink(rest=f"http://127.0.0.1:{port}"), stack=Stack(ports=Ports(prometheus=port)))
    server.shutdown()
    server.server_close()


def add_job(answers, jid, name, state, *, restarts=0, started_ms=1, trace=None, completed=None, running=3):
    answers.setdefault("/jobs/overview", {"jobs": []})["jobs"].append(
        {"jid": jid, "name": name, "state": state, "start-time": started_ms, "tasks": {"total": 3, "running": running}}
    )
    answers[f"/jobs/{jid}/checkpoints"] = {"counts": {"failed": 2}, "latest": {"completed": completed}}
    answers[f"/jobs/{jid}/metrics"] = [{"id": "numRestarts", "value": str(restarts)}]
    entries = [{"exceptionName": "x", "stacktrace": trace}] if trace else []
    answers[f"/jobs/{jid}/exceptions"] = {"exceptionHistory": {"entries": entries}}


def test_a_running_job_shows_its_checkpoint_restarts_and_lag(cluster):
    answers, settings = cluster
    completed = {"latest_ack_timestamp": 5000, "end_to_end_duration": 120, "state_size": 2**20}
    add_job(answers, "a", "score", "RUNNING", restarts=3, completed=completed)
    answers["/api/v1/query"] = {"data": {"result": [{"metric": {"job_name": "score"}, "value": [1, "42"]}]}}
    (job,) = flink_jobs.jobs(settings)
    assert (job.name, job.state, job.restarts, job.failed_checkpoints) == ("score", "RUNNING", 3, 2)
    assert job.checkpoint == Checkpoint(5000, 120, 2**20)
    assert job.lag_records == 42


def test_without_prometheus_the_lag_is_unknown_and_the_rest_is_shown(cluster):
    answers, settings = cluster
    add_job(answers, "a", "score", "RUNNING")
    (job,) = flink_jobs.jobs(settings)
    assert job.lag_records is None
    assert job.checkpoint is None


def test_an_ended_job_is_shown_only_while_none_of_its_name_runs(cluster):
    answers, settings = cluster
    add_job(answers, "a", "score", "FAILED", started_ms=1)
    add_job(answers, "b", "score", "RUNNING", started_ms=2)
    add_job(answers, "c", "other", "FAILED", started_ms=1)
    add_job(answers, "d", "other", "CANCELED", started_ms=2)
    assert {job.job_id for job in flink_jobs.jobs(settings)} == {"b", "d"}


def test_the_doctor_names_the_innermost_cause_of_a_job_that_restarts(cluster):
    answers, settings = cluster
    add_job(answers, "a", "score", "RESTARTING", restarts=7, trace=TRACE)
    (finding,) = doctor._jobs(settings, {})
    assert finding.what == "job score is restarting (restart 7): ModuleNotFoundError: No module named 'pemja'"


def test_the_doctor_says_how_to_bring_back_a_failed_job(cluster):
    answers, settings = cluster
    add_job(answers, "a", "score", "FAILED", trace=TRACE)
    (finding,) = doctor._jobs(settings, {})
    assert finding.mend == "mend the cause, then: sluice submit score"


def ago_ms(seconds):
    return round((time.time() - seconds) * 1000)


def checkpoint(seconds):
    return {"latest_ack_timestamp": ago_ms(seconds), "end_to_end_duration": 120, "state_size": 1}


@pytest.mark.parametrize(("age_s", "found"), [(100, False), (140, True)])
def test_the_doctor_finds_a_job_whose_tasks_wait_for_slots_although_flink_says_running(cluster, age_s, found):
    answers, settings = cluster
    add_job(answers, "a", "score", "RUNNING", started_ms=ago_ms(age_s), running=2, completed=checkpoint(1))
    said = [finding.what for finding in doctor._jobs(settings, {})]
    assert said == (["job score waits: 2 of its 3 tasks run"] if found else [])


@pytest.mark.parametrize(("age_s", "found"), [(100, False), (140, True)])
def test_the_doctor_finds_a_crash_loop_between_two_restarts_by_the_age_of_its_checkpoint(cluster, age_s, found):
    answers, settings = cluster
    last = checkpoint(age_s)
    add_job(answers, "a", "score", "RUNNING", started_ms=ago_ms(900), restarts=7, trace=TRACE, completed=last)
    said = [finding.what for finding in doctor._jobs(settings, {})]
    assert len(said) == found
    assert not found or "(2 failed, 7 restarts, last for: ModuleNotFoundError: No module named 'pemja')" in said[0]


def test_the_doctor_finds_a_job_that_never_completed_a_checkpoint_and_lets_a_new_one_start(cluster):
    answers, settings = cluster
    add_job(answers, "a", "old", "RUNNING", started_ms=ago_ms(900))
    add_job(answers, "b", "new", "RUNNING", started_ms=ago_ms(30))
    (finding,) = doctor._jobs(settings, {})
    assert finding.what.startswith("job old has completed no checkpoint for 90")


def test_checkpoints_that_are_far_apart_by_intent_are_not_late(cluster):
    answers, settings = cluster
    settings = msgspec.structs.replace(settings, job=Job(checkpoint_ms=600_000))
    add_job(answers, "a", "score", "RUNNING", started_ms=ago_ms(9000), completed=checkpoint(900))
    assert list(doctor._jobs(settings, {})) == []


def test_the_doctor_finds_a_stopped_job_and_that_there_is_none(cluster):
    answers, settings = cluster
    answers["/jobs/overview"] = {"jobs": []}
    assert [finding.mend for finding in doctor._jobs(settings, {})] == ["sluice submit score_transactions"]
    add_job(answers, "a", "score", "CANCELED")
    (finding,) = doctor._jobs(settings, {})
    assert (finding.what, finding.mend) == ("job score was stopped and is not running", "sluice submit score")


def test_a_stop_that_was_wished_and_a_job_of_a_bench_are_nothing_to_mend(cluster):
    answers, settings = cluster
    add_job(answers, "a", "score", "CANCELED", started_ms=2_000)
    add_job(answers, "b", "bench_reference", "CANCELED", started_ms=2_000)
    assert list(doctor._jobs(settings, {"score": 3_000})) == []
    # It was started again since, and ended without a word.
    (finding,) = doctor._jobs(settings, {"score": 1_000})
    assert finding.what == "job score was stopped and is not running"


def test_the_status_shows_that_a_job_waits(cluster, monkeypatch):
    answers, settings = cluster
    add_job(answers, "a", "score", "RUNNING", running=1)
    monkeypatch.setattr(part_state, "parts", lambda _: [PartState("job-manager", "2", 1, None, 1, 1.0, 1.0)])
    shown = CliRunner().invoke(status, [], obj=settings).stdout
    assert re.search("score +waiting .*\n  1 of its 3 tasks run; see `sluice doctor`", shown)


@pytest.mark.parametrize("missing", ["program", "jars", "port", "topic"])
def test_the_doctor_names_what_is_missing_and_what_brings_it(monkeypatch, tmp_path, missing):
    settings = Settings(stack=Stack(home=str(tmp_path), ports=Ports(redis=free_port())))
    if missing == "program":
        monkeypatch.setattr(doctor.install, "missing_programs", lambda _: ["java"])
        monkeypatch.setattr(doctor.install, "missing_jars", lambda *_: [])
        (finding,) = doctor._missing(settings)
        assert finding.what == "program java is missing"
        assert finding.mend.startswith("sluice up, or as root: apt-get install -y openjdk")
    elif missing == "jars":
        monkeypatch.setattr(doctor.install, "missing_programs", lambda _: [])
        findings = list(doctor._missing(settings))
        assert any(f"the jars of flink are missing in {tmp_path}" in finding.what for finding in findings)
        assert {finding.mend for finding in findings} == {"sluice up"}
    elif missing == "port":
        with socket.create_server(("127.0.0.1", settings.stack.ports.redis)):
            down = PartState("redis", "7", settings.stack.ports.redis, "not running")
            findings = list(doctor._parts(settings, [down]))
        assert findings[0].what == "redis is not running"
        assert str(settings.stack.ports.redis) in findings[1].what
        assert findings[1].mend == "kill that process, or set [stack.ports] in sluice.toml"
    else:
        there_not = topics.Difference("decisions", "exists", "yes", "no")
        monkeypatch.setattr(doctor.topics, "differences", lambda _: [there_not])
        (finding,) = doctor._topics(settings)
        assert "decisions" in finding.what
        assert finding.mend == "sluice topics --create"


@pytest.mark.parametrize(("free", "age_s", "old"), [(0, 1, True), (0, -1, False), (1, 1, False)])
def test_a_busy_task_manager_that_is_older_than_the_code_runs_old_code(
    cluster, tmp_path, monkeypatch, free, age_s, old
):
    answers, settings = cluster
    answers["/taskmanagers"] = {"taskmanagers": [{"id": "task-manager-1", "freeSlots": free, "slotsNumber": 1}]}
    source = tmp_path / "windows.py"
    source.touch()
    monkeypatch.setattr(doctor, "_newest_source", lambda: Path(source))
    state = PartState("task-manager-1", "2", 1, None, 1, 1.0, started_s=source.stat().st_mtime - age_s)
    said = [finding.what for finding in doctor._old_code(settings, [state])]
    assert said == (["task-manager-1 runs old code: windows.py was changed after its start"] if old else [])


def test_a_full_disk_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 2**20})())
    (finding,) = doctor._disk(Settings(stack=Stack(home=str(tmp_path))))
    assert finding.what.startswith("only 1 MiB are free under ")


@pytest.mark.parametrize(("free", "waits"), [(0, True), (1, False)])
def test_a_job_without_a_free_slot_is_said_to_wait_with_the_way_out(cluster, monkeypatch, free, waits):
    answers, settings = cluster
    answers["/overview"] = {"slots-total": 4, "slots-available": free}
    monkeypatch.setattr(flink_client, "submit", lambda *_: "a1")
    said = CliRunner().invoke(submit, ["watch_drift", "--from", "none"], obj=settings)
    assert said.exit_code == 0
    assert "watch_drift runs as a1" in said.stdout
    assert ("needs 1, and 0 are free" in said.stderr and "task_managers" in said.stderr) == waits

"""The state that a job goes on with is the newest whole one of its name, and nobody else's."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from infra import checkpoints, flink_client, wished_stop
from infra.cli import stop, submit
from schemas.settings import Flink, Job, Settings, Stack

JOB = "score_transactions"
A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)


@pytest.fixture
def settings(tmp_path):
    return Settings(stack=Stack(home=str(tmp_path)))


@pytest.fixture
def local(settings, monkeypatch):
    """The JobManager of these settings runs."""
    monkeypatch.setattr(checkpoints.process, "find", lambda _home, name: name == "job-manager" or None)
    return settings


def completed(settings, at_s, run, number, job=JOB):
    """A checkpoint that was completed at that second."""
    return _whole(checkpoints.folder(settings, job) / run / f"chk-{number}", at_s)


def saved(settings, at_s, run, job=JOB):
    return _whole(checkpoints.savepoints(settings, job) / f"savepoint-{run[:6]}-0123456789ab", at_s)


def _whole(folder, at_s):
    folder.mkdir(parents=True)
    (folder / "_metadata").touch()
    os.utime(folder / "_metadata", (at_s, at_s))
    return folder.as_uri()


def test_without_any_checkpoint_there_is_nothing_to_resume(settings):
    assert checkpoints.newest(settings, JOB) is None


def test_the_newest_is_by_time_of_completion_not_by_number_or_name(settings):
    completed(settings, 100, B, 90)
    newest = completed(settings, 200, A, 2)
    assert checkpoints.newest(settings, JOB) == newest


def test_a_savepoint_counts_like_a_checkpoint(settings):
    completed(settings, 100, A, 1)
    savepoint = saved(settings, 200, A)
    assert checkpoints.newest(settings, JOB) == savepoint
    later = completed(settings, 300, B, 1)
    assert checkpoints.newest(settings, JOB) == later


def test_a_checkpoint_that_was_never_completed_and_one_of_another_job_are_left_out(settings):
    newest = completed(settings, 100, A, 1)
    (checkpoints.folder(settings, JOB) / A / "chk-2").mkdir()
    (checkpoints.folder(settings, JOB) / A / "shared").mkdir()
    completed(settings, 300, B, 1, job="materialize")
    assert checkpoints.newest(settings, JOB) == newest


def test_only_runs_long_ended_are_deleted_and_never_the_one_that_is_resumed(settings):
    for number, run in enumerate("0123456789"):
        completed(settings, number, run * 32, 1)
        os.utime(checkpoints.folder(settings, JOB) / (run * 32), (number, number))
    oldest = (checkpoints.folder(settings, JOB) / ("0" * 32) / "chk-1").as_uri()
    checkpoints.note(settings, JOB, A, oldest)
    left = {path.name[0] for path in checkpoints.folder(settings, JOB).iterdir() if path.is_dir()}
    assert left == {"0", "6", "7", "8", "9"}


def test_a_run_goes_back_to_those_whose_state_it_carries_on(settings):
    checkpoints.note(settings, JOB, A, None)
    checkpoints.note(settings, JOB, B, completed(settings, 1, A, 7))
    checkpoints.note(settings, JOB, C, saved(settings, 2, B))
    checkpoints.note(settings, JOB, D, None)
    assert all(checkpoints.goes_back_to(settings, JOB, C, earlier) for earlier in (A, B, C))
    assert not any(checkpoints.goes_back_to(settings, JOB, D, earlier) for earlier in (A, B, C))
    assert not checkpoints.goes_back_to(settings, JOB, A, B)


def test_a_run_that_began_with_a_state_from_elsewhere_goes_back_to_nobody(settings):
    checkpoints.note(settings, JOB, B, "s3://bucket/some/state")
    assert not checkpoints.goes_back_to(settings, JOB, B, A)


@pytest.fixture
def submitted(monkeypatch):
    """What the cluster is asked to begin with."""
    states = []
    monkeypatch.setattr(flink_client, "free_slots", lambda settings: 1)
    monkeypatch.setattr(flink_client, "submit", lambda job, settings, state=None: states.append(state) or D)
    monkeypatch.setattr(flink_client, "free_slots", lambda _: 1)
    return states


def _submit(settings, *words):
    done = CliRunner().invoke(submit.command, [JOB, *words], obj=settings, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_submit_resumes_from_the_newest_and_says_so(local, submitted):
    newest = completed(local, 1, A, 3)
    assert f"{JOB} runs as {D}, resumed from {newest};" in _submit(local)
    assert flink_client.resume(JOB, local) == D
    assert submitted == [newest, newest]


def test_submit_starts_fresh_where_nothing_is_kept(local, submitted):
    assert "with a fresh state: " in _submit(local)
    assert submitted == [None]


def test_submit_takes_the_state_that_is_named_or_none(local, submitted):
    completed(local, 1, A, 3)
    assert "resumed from file:/there;" in _submit(local, "--from", "file:/there")
    assert "with a fresh state;" in _submit(local, "--from", "none")
    assert submitted == ["file:/there", None]


@pytest.mark.parametrize("rest", ["http://flink.example:8081", "http://127.0.0.1:9999"])
def test_on_another_cluster_it_says_that_the_checkpoints_are_not_known(local, submitted, rest):
    completed(local, 1, A, 3)
    assert f"which checkpoints {rest} keeps is not known here, name one with --from" in _submit(local, "--flink", rest)
    assert submitted == [None]


def test_a_cluster_on_the_stacks_port_that_the_stack_did_not_start_is_another_one(settings, submitted):
    completed(settings, 1, A, 3)
    assert "is not known here" in _submit(settings)
    assert submitted == [None]


def test_stop_names_the_command_that_resumes(local, monkeypatch):
    monkeypatch.setattr(flink_client, "running", lambda settings: {JOB: A})
    monkeypatch.setattr(flink_client, "stop", lambda job, settings: "file:/kept")
    for settings, command in (
        (local, f"`sluice submit {JOB}`"),
        (Settings(stack=local.stack, flink=Flink("http://f:1")), f"`sluice submit {JOB} --from file:/kept`"),
    ):
        assert command in CliRunner().invoke(stop.command, [JOB], obj=settings, catch_exceptions=False).stdout


ELSEWHERE = Settings(
    flink=Flink("flink.example:8081"),
    job=Job(checkpoint_dir="s3://kept/checkpoints", savepoint_dir="s3://kept/savepoints"),
)


def test_on_another_cluster_checkpoints_go_to_the_folder_of_the_settings(monkeypatch):
    asked = []
    monkeypatch.setattr(flink_client, "running", lambda settings: {})
    monkeypatch.setattr(flink_client, "runtime_jar", lambda home: Path("runtime.jar"))
    monkeypatch.setattr(flink_client, "distribution", lambda: "flink")
    monkeypatch.setattr(flink_client, "link_submission", lambda home, runtime: "lib")

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, D.encode(), b"")

    monkeypatch.setattr(flink_client.subprocess, "run", run)
    assert flink_client.submit(JOB, ELSEWHERE) == D
    assert asked[0][-2:] == ["--checkpoints", "s3://kept/checkpoints"]


def test_on_another_cluster_a_savepoint_goes_to_the_folder_of_the_settings(monkeypatch):
    asked = []

    def ask(_settings, _path, body=None):
        asked.append(body)
        done = {"status": {"id": "COMPLETED"}, "operation": {"location": "s3://kept/savepoints/1"}}
        return {"jobs": [{"name": JOB, "jid": D, "state": "RUNNING"}], "request-id": "r", **done}

    monkeypatch.setattr(flink_client.flink_rest, "ask", ask)
    monkeypatch.setattr(wished_stop.control_topic, "send", lambda *_: None)
    assert flink_client.stop(JOB, ELSEWHERE) == "s3://kept/savepoints/1"
    assert {"drain": False, "targetDirectory": "s3://kept/savepoints"} in asked


def test_a_folder_that_is_no_uri_is_refused():
    with pytest.raises(msgspec.ValidationError, match=r"job\.checkpoint_dir"):
        msgspec.convert({"job": {"checkpoint_dir": "kept"}}, Settings)

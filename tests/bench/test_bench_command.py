"""`sluice bench` from the outside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import bench
from infra.cli.bench import command
from infra.stack.home import Home
from schemas.errors import InputError, PartFailedError
from schemas.settings import Settings, Stack

SLUICE = str(Path(sys.executable).parent / "sluice")


def test_a_measurement_that_does_not_exist_is_refused_with_those_that_do():
    done = CliRunner().invoke(command, ["--only", "latency,speed"], obj=Settings())
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("--only speed: no such measurement; there are latency, freshness, ")


def test_a_bench_that_fails_half_way_has_printed_and_kept_what_it_measured(monkeypatch, tmp_path):
    facts = {"at_ms": 1, "machine": {"cores": 2}, "model": "fraud@1"}

    def run(_settings, _names, _scale, _steps, told):
        told(facts, {"memory": {"kafka": 300.0}})
        raise PartFailedError("the broker is gone")

    monkeypatch.setattr(bench, "run", run)
    settings = Settings(stack=Stack(home=str(tmp_path)))
    done = CliRunner().invoke(command, ["--only", "memory"], obj=settings)
    assert isinstance(done.exception, PartFailedError)
    assert "memory, MiB: 300" in done.stdout
    (line,) = (tmp_path / "bench" / "history.jsonl").read_text().splitlines()
    assert json.loads(line) == facts | {"quick": False, "memory": {"kafka": 300.0}, "partial": True}


@pytest.mark.stack
def test_a_quick_bench_prints_a_table_a_json_line_and_keeps_its_result(stack):
    history = Home.of(stack).root / "bench" / "history.jsonl"
    before = len(history.read_text().splitlines()) if history.exists() else 0
    names = "latency,freshness,store-read,throughput,recommend,plain-loop,memory,state"
    done = subprocess.run(
        [SLUICE, "bench", "--quick", "--json", "--only", names],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["latency_ms"]) == {"1000", "2000", "5000"}
    assert found["latency_ms"]["2000"]["p50"] <= found["latency_ms"]["2000"]["p99"]
    assert found["rss_mb"]["kafka"] > 100
    assert found["state_bytes_per_user"] > 0
    assert found["store_read_ms"]["p99"] > 0
    assert found["redis_freshness_ms"]["p50"] > 0
    assert found["plain_loop_per_s"] > 0
    assert set(found["click_to_list_at_ms"]) == set(found["recommend_at_ms"]) == {"100", "250", "500"}
    assert 0 < found["click_to_list_at_ms"]["100"]["p50"] <= found["click_to_list_at_ms"]["100"]["p99"]
    assert 0 < found["recommend_ms"]["p50"] <= found["recommend_ms"]["p99"]
    assert found["throughput_per_s"] > 0
    assert "latency at 2,000/s" in done.stdout
    *parts, whole = [json.loads(line) for line in history.read_text().splitlines()[before:]]
    assert [part["partial"] for part in parts] == [True] * 10, "three rates of latency, and the others"
    assert "partial" not in whole
    assert all(part["at_ms"] == whole["at_ms"] == found["at_ms"] for part in parts)

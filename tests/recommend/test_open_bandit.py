"""The Open Bandit logs: a made-up pair whose truth is known, and the real one against its own click rate."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from infra.cli import sluice
from jobs.evaluate_recommend import open_bandit
from jobs.evaluate_recommend.off_policy import evaluate
from schemas.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data" / "open-bandit-men"
ITEMS = 4


def write(path: Path, policy: np.ndarray, seed: int, rows: int = 6_000) -> float:
    """A log of a policy (places x items) and its expected click rate; item 3 is clicked often, the first place more."""
    rng = np.random.default_rng(seed)
    rates = np.array([1.0, 0.7, 0.5])[:, None] * np.array([0.05, 0.1, 0.1, 0.4])[None, :]
    features = [f"user_feature_{number}" for number in range(4)]
    affinities = [f"user-item_affinity_{item}" for item in range(ITEMS)]
    with gzip.open(path, "wt", newline="") as file:
        out = csv.writer(file)
        out.writerow(["timestamp", "item_id", "position", "click", "propensity_score", *features, *affinities])
        for _ in range(rows):
            place = int(rng.integers(3))
            item = int(rng.choice(ITEMS, p=policy[place]))
            click = int(rng.random() < rates[place, item])
            out.writerow(["t", item, place + 1, click, policy[place, item], *rng.choice(["x", "y"], 4), 0, 0, 1, 0])
    return float((policy * rates).sum(axis=1).mean())


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Path, float]:
    write(tmp_path / open_bandit.RANDOM, np.full((3, ITEMS), 1 / ITEMS), 1)
    value = write(tmp_path / open_bandit.THOMPSON, np.array([[0.1, 0.1, 0.1, 0.7]] * 3), 2)
    return tmp_path, value


def test_the_value_of_the_other_policy_is_found_from_the_random_log(folder: tuple[Path, float]) -> None:
    path, value = folder
    result = evaluate(path)
    assert result.logged_rate < 0.8 * value
    assert set(result.estimates) == {"ips", "snips", "dr"}
    for estimate in result.estimates.values():
        assert value in estimate.normal
        assert value in estimate.bootstrap
    assert result.on_policy is not None
    assert abs(value - result.on_policy.value) < 3 * result.on_policy.standard_error
    assert result.estimates["dr"].standard_error < result.estimates["ips"].standard_error
    assert 0 < result.effective_sample_size < 6_000


def test_shares_count_items_by_place_and_look_at_no_click(folder: tuple[Path, float]) -> None:
    log = open_bandit.read(folder[0] / open_bandit.THOMPSON, open_bandit.items_of(folder[0]))
    shares = open_bandit.shares(log, ITEMS)
    assert shares.shape == (3, ITEMS)
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shares == pytest.approx(np.array([[0.1, 0.1, 0.1, 0.7]] * 3), abs=0.05)


def test_a_target_file_beside_the_open_bandit_logs_is_refused(folder: tuple[Path, float]) -> None:
    with pytest.raises(InputError, match="the target of the Open Bandit logs is in them"):
        evaluate(folder[0], folder[0] / "x.jsonl")


def test_cells_that_are_no_numbers_are_refused_with_the_file(folder: tuple[Path, float]) -> None:
    path = folder[0] / open_bandit.RANDOM
    text = gzip.decompress(path.read_bytes()).replace(b"t,0,1,0,", b"t,zero,1,0,", 1)
    path.write_bytes(gzip.compress(text))
    with pytest.raises(InputError, match=r"random\.csv\.gz: .*zero.*; give the files of the Open Bandit set"):
        evaluate(folder[0])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for seed, name in enumerate([open_bandit.RANDOM, open_bandit.THOMPSON]):
        write(tmp_path / name, np.full((3, ITEMS), 1 / ITEMS), seed, rows=60)
    return tmp_path


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("t,4,1,0,0.25,x,x,x,x,0,0,1,0", "row 2 has 4 as item_id"),
        ("t,-1,1,0,0.25,x,x,x,x,0,0,1,0", "row 2 has -1 as item_id"),
        ("t,0.5,1,0,0.25,x,x,x,x,0,0,1,0", "row 2 has 0.5 as item_id"),
        ("t,,1,0,0.25,x,x,x,x,0,0,1,0", "row 2 has nan as item_id"),
        ("t,0,0,0,0.25,x,x,x,x,0,0,1,0", "row 2 has 0 as position"),
        ("t,0,inf,0,0.25,x,x,x,x,0,0,1,0", "row 2 has inf as position"),
        ("t,0,1001,0,0.25,x,x,x,x,0,0,1,0", "row 2 has 1001 as position"),
        ("t,0,1,2,0.25,x,x,x,x,0,0,1,0", "row 2 has 2 as click"),
        ("t,0,1,0,,x,x,x,x,0,0,1,0", "row 2 has nan as propensity_score"),
        ("t,0,1,0,0.25,x,x,x,x,0,0,inf,0", "row 2 has inf as user-item_affinity_2"),
    ],
)
def test_a_cell_that_can_not_be_is_refused_with_its_row_and_column(small: Path, cells: str, message: str) -> None:
    path = small / open_bandit.THOMPSON
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    lines[2] = cells
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(InputError, match=rf"bts\.csv\.gz: {message}; give the files of the Open Bandit set"):
        evaluate(small)


def test_a_place_of_which_the_other_log_says_nothing_is_refused(small: Path) -> None:
    path = small / open_bandit.THOMPSON
    head, *rows = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join([head, *(row for row in rows if row.split(",")[2] != "3")]).encode()))
    with pytest.raises(InputError, match=r"bts\.csv\.gz: no row has position 3, random\.csv\.gz has some; give"):
        evaluate(small)


def _no_affinities(raw: bytes) -> bytes:
    return gzip.compress(raw.replace(b"user-item_affinity_", b"affinity_"))


def _head_only(raw: bytes) -> bytes:
    return gzip.compress(raw.splitlines()[0] + b"\n")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda raw: raw, "random.csv.gz: .*"),
        (lambda raw: gzip.compress(raw)[:20], "random.csv.gz: .*"),
        (_no_affinities, "random.csv.gz: no column user-item_affinity_0"),
        (_head_only, "random.csv.gz: no rows"),
    ],
    ids=["no gzip", "cut off", "no affinities", "no rows"],
)
def test_a_file_that_is_no_log_is_named(small: Path, broken: Callable[[bytes], bytes], message: str) -> None:
    path = small / open_bandit.RANDOM
    path.write_bytes(broken(gzip.decompress(path.read_bytes())))
    with pytest.raises(InputError, match=message):
        evaluate(small)


@pytest.mark.skipif(not DATA.is_dir(), reason="the open-bandit-men data set is not here")
def test_the_rate_that_thompson_sampling_had_lies_within_the_intervals_of_its_estimates() -> None:
    result = CliRunner().invoke(sluice, ["evaluate", "recommend", "--off-policy", "--data", str(DATA), "--json"])
    shown = result.stdout.splitlines()
    found = json.loads(shown[-1])
    on_policy = found["on_policy"]["value"]
    assert on_policy == 0.0069
    for name in ("ips", "snips", "dr"):
        for interval in ("normal", "bootstrap"):
            ends = found["estimates"][name][interval]
            assert ends["low"] <= on_policy <= ends["high"], (name, interval)
    assert found["effective_sample_size"] > 1_000
    assert found["clipped_share"] == 0
    assert any(line.startswith("effective sample size") for line in shown)

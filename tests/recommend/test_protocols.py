"""The published protocols on the real data sets: the required floor, and the funnel the best of four."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.cli import sluice
from jobs.evaluate_recommend import data_set
from schemas.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data"

present = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not present")


def evaluate(*words: str) -> dict:
    result = CliRunner().invoke(sluice, ["evaluate", "recommend", *words, "--json"], catch_exceptions=False)
    return json.loads(result.stdout.splitlines()[-1])


@present
def test_the_random_split_of_movielens_is_above_the_required_floor():
    found = evaluate("--data", str(DATA / "movielens-100k"))
    assert found["ndcg_at_10"] >= 0.442
    assert found["recall_at_10"] >= 0.2125
    assert found["intra_list_similarity"] < 0.7


@present
def test_the_funnel_is_the_best_of_four_on_the_first_ratings():
    found = evaluate("--data", str(DATA / "movielens-100k"), "--protocol", "prequential", "--limit", "3000")
    for figures in (found["hit_rate_at_20"], found["ndcg_at_20"]):
        assert set(figures) == {"funnel", "popular", "cooccurrence", "random"}
        assert max(figures, key=figures.__getitem__) == "funnel"
    assert found["beyond"]["intra_list_similarity"] < 0.7


@present
def test_the_funnel_is_the_best_of_four_on_the_first_purchases():
    found = evaluate("--data", str(DATA / "online-retail"), "--protocol", "prequential", "--limit", "3000")
    for figures in (found["hit_rate_at_20"], found["ndcg_at_20"]):
        assert set(figures) == {"funnel", "popular", "cooccurrence", "random"}
        assert max(figures, key=figures.__getitem__) == "funnel"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give --data FOLDER, or --off-policy for the log of the running stack"),
        (["--off-policy", "--threads", "2"], "--threads does not go with --off-policy"),
        (["--data", "x", "--clip", "3"], "--clip goes only with --off-policy"),
        (["--data", "x", "--since", "1h"], "--since goes only with --off-policy"),
        (
            ["--off-policy", "--data", "x", "--until", "1h"],
            "--since and --until choose a part of the topics; leave out --data",
        ),
        (
            ["--off-policy", "--since", "1h", "--until", "2h"],
            "--until ends before --since begins; give it a shorter span, as in --since 2h --until 1h",
        ),
        (["--data", "x", "--limit", "2000"], "--limit goes only with --protocol prequential"),
        (
            ["--data", "x", "--protocol", "prequential", "--validate"],
            "--validate goes only with --protocol random-75-25",
        ),
    ],
)
def test_options_of_the_other_way_of_measuring_are_refused(words: list[str], message: str):
    result = CliRunner().invoke(sluice, ["evaluate", "recommend", *words])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == message


def test_a_data_set_that_the_random_split_is_not_defined_on_is_refused_before_it_is_read(tmp_path: Path):
    (tmp_path / "lines.parquet").write_bytes(b"not read")
    result = CliRunner().invoke(sluice, ["evaluate", "recommend", "--data", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"random-75-25 is defined on movielens-100k; use --protocol prequential for {tmp_path}"
    )


def test_a_folder_of_nothing_known_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"no ratings\.csv\.gz and no lines\.parquet; give the folder of movielens"):
        data_set.read(tmp_path)

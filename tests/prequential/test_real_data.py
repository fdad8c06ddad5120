"""Prefixes of real data sets, by the command and against River's own evaluation."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from river import evaluate, linear_model, metrics, optim, preprocessing

from infra.cli import evaluate as evaluate_command
from jobs.evaluate_learners import data_set, drift, run
from jobs.evaluate_learners.published import HERE, published
from online_learning.benchmark import classes
from online_learning.benchmark.contender import Entry
from schemas.errors import InputError

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def _folder(name: str) -> Path:
    folder = DATA / name
    if not folder.exists():
        pytest.skip(f"{name} is not here")
    return folder


def _told(*arguments: str) -> dict[str, dict[str, dict[str, float]]]:
    result = CliRunner().invoke(evaluate_command.command, ["learners", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def _table(tmp_path: Path, rows: list[str]) -> Path:
    (tmp_path / data_set.ELEC2.file).write_bytes(gzip.compress("\n".join(rows).encode()))
    return tmp_path


def test_logistic_regression_is_measured_as_river_measures_it():
    data = run.read("elec2", _folder("elec2"), 3000)
    accuracy, f1 = metrics.Accuracy(), metrics.F1()
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    evaluate.progressive_val_score(((a.x, a.label > 0.5) for a in data.stream), model, accuracy + f1)
    found = run.measure(data, classes.LOGISTIC, lambda _: None).overall
    assert found["accuracy"] == pytest.approx(accuracy.get(), abs=1e-12)
    assert found["f1"] == pytest.approx(f1.get(), abs=1e-12)


def _on_the_whole_of_elec2(entry: Entry) -> dict[str, float]:
    """Accuracy and F1 over all rows, to the six digits of the notes."""
    data = run.read("elec2", _folder("elec2"), None)
    assert len(data.stream) == 45_312
    found = run.measure(data, entry, lambda _: None).overall
    return {name: round(found[name], 6) for name in ("accuracy", "f1")}


def test_logistic_regression_on_the_whole_of_elec2_is_right_as_often_as_the_notes_say():
    assert _on_the_whole_of_elec2(classes.LOGISTIC) == {"accuracy": 0.822144, "f1": 0.777086}


def test_our_best_learner_on_the_whole_of_elec2_is_above_the_published_forest():
    found = _on_the_whole_of_elec2(classes.DAY_MEAN)
    assert found == {"accuracy": 0.955442, "f1": 0.947399}
    forest = published("elec2").figures["adaptive random forest"]
    assert forest == {"accuracy": 0.8766, "f1": 0.8524}
    assert all(found[name] > forest[name] for name in forest)


def test_what_knows_the_day_beats_the_last_class_on_a_prefix():
    found = _told(
        "--data",
        str(_folder("elec2")),
        "--limit",
        "2000",
        "--learner",
        "last class",
        "--learner",
        classes.DAY_MEAN.name,
    )["elec2"]
    assert set(found) == {"last class", classes.DAY_MEAN.name}
    assert found[classes.DAY_MEAN.name]["accuracy"] > found["last class"]["accuracy"]
    assert {"accuracy", "f1", "average_precision"} <= set(found["last class"])


def test_several_data_sets_are_told_in_one_object():
    names = ("weather-nebraska", "elec2")
    folders = [option for name in names for option in ("--data", str(_folder(name)))]
    found = _told(*folders, "--limit", "1000", "--learner", "last class", "--learner", "logistic regression")
    assert {name: set(rows) for name, rows in found.items()} == {
        name: {"last class", "logistic regression"} for name in names
    }


def test_factors_learn_ratings_better_than_the_mean_and_the_blend_better_than_factors():
    data = run.read("movielens-100k", _folder("movielens-100k"), 6000)
    mae = [
        run.measure(data, entry, lambda _: None).overall["mae"]
        for entry in run.chosen("movielens-100k", ("running mean", "biased factors", "blend"))
    ]
    assert mae == sorted(mae, reverse=True)


def test_ratings_of_rivers_own_file_are_the_same_ratings(tmp_path):
    rows = ["user\titem\trating\ttimestamp\ttitle", "259\t255\t4.0\t874731910000000000\tA film"]
    (tmp_path / data_set.RIVER_RATINGS).write_text("\n".join(rows), encoding="utf-8")
    assert data_set.kind(tmp_path) == "movielens-100k"
    (one,) = data_set.ratings(tmp_path).stream
    assert (one.x, one.label, one.time_ms) == ({"user": "259", "item": "255"}, 4.0, 874_731_910_000)


def test_resets_help_on_a_stream_whose_concept_turns_around():
    folder = _folder("drift-synthetic-a")
    sine = next(one for one in drift.STREAMS if one.name == "sine_0123_abrupto")
    rows = {row.name: row for row in drift.run(folder, sine, 12_000)}
    alone, helped = rows[drift.NO_DETECTOR], rows["adwin, reset"]
    assert helped.metrics["accuracy"] > alone.metrics["accuracy"] + 0.05
    # The notes of the data set say at which row ADWIN told.
    assert helped.detections == drift.Detections((15,), 0)
    assert alone.recoveries == (None,)
    assert helped.recoveries[0] is not None
    assert rows["adwin, only told"].metrics == alone.metrics
    assert drift.figures(helped)["detection_delay"] == 15


@pytest.mark.parametrize("name", ["elec2", "weather-nebraska", "movielens-100k", "drift-synthetic-a"])
def test_published_tables_say_where_they_come_from(name):
    content = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
    assert content["source"]
    part = next(iter(content["figures"]))
    found = published(name, part if name == "drift-synthetic-a" else "")
    assert all(0 < value < 2 for figures in found.figures.values() for value in figures.values())


def test_an_unknown_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no known data set; give the folder of elec2"):
        data_set.kind(tmp_path)


def test_a_bad_row_is_named(tmp_path):
    folder = _table(tmp_path, ["day,nswprice,class", "2,0.1,UP", "2,cheap,UP"])
    with pytest.raises(InputError, match=r"elec2.csv.gz row 2: .*cheap"):
        run.read("elec2", folder, None)


GOOD = ["day,nswprice,class", "2,0.1,UP"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([*GOOD, "2,0.1"], "row 2: not the 3 columns of the first line"),
        ([*GOOD, "2,0.1,UP,3"], "row 2: not the 3 columns of the first line"),
        ([*GOOD, "2,0.1,SIDEWAYS"], "row 2: no column or class 'SIDEWAYS'"),
        (["nswprice,class", "0.1,UP"], "row 1: no column or class 'day'"),
        (["day,nswprice", "2,0.1"], "row 1: no column or class 'class'"),
    ],
)
def test_a_row_that_does_not_fit_its_table_is_named(tmp_path, rows, why):
    with pytest.raises(InputError, match=rf"elec2.csv.gz {why}; give the file of elec2 as it is"):
        run.read("elec2", _table(tmp_path, rows), None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress("\n".join(GOOD).encode())[:-9], "end-of-stream"),
        (b"no gzip file", "Not a gzipped file"),
        (gzip.compress(b"day,nswprice,class\n2,0.1,\xff\n"), "can't decode byte"),
    ],
    # Compressed bytes hold the time: as a name they would differ in each process.
    ids=["cut", "not compressed", "not text"],
)
def test_a_file_that_is_cut_or_another_is_named(tmp_path, content, why):
    (tmp_path / data_set.ELEC2.file).write_bytes(content)
    with pytest.raises(InputError, match=rf"elec2.csv.gz: .*{why}.*; give the file of elec2 as it is"):
        run.read("elec2", tmp_path, None)


def test_a_stream_that_is_not_in_the_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"sea50k.csv.gz: No such file or directory; give"):
        drift.run(tmp_path, drift.STREAMS[0])


def test_a_short_row_of_ratings_is_named(tmp_path):
    (tmp_path / data_set.RIVER_RATINGS).write_text("user\titem\trating\ttimestamp\n259\t255\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ml_100k.csv row 1: not the 4 columns"):
        data_set.ratings(tmp_path)


def test_a_plot_that_can_not_be_written_is_refused_before_the_run(tmp_path):
    (tmp_path / "transactions.parquet").write_bytes(b"never read")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--plot .*/file/weeks\.svg"):
        _told("--data", str(tmp_path), "--plot", str(tmp_path / "file" / "weeks.svg"))


def test_an_unknown_learner_is_named_with_those_that_there_are():
    with pytest.raises(InputError, match="no learner 'magic' for elec2; there are last class"):
        run.chosen("elec2", ("magic",))


def test_features_are_handed_on_in_their_order_whatever_the_process():
    names = tuple(f"feature-{place}" for place in range(20))
    handed = classes._as_they_are(names).transform_one(dict.fromkeys(reversed(names), 1.0))
    assert tuple(handed) == names

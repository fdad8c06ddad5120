"""Alarms against known drifts, and the streams on which the watch is measured."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from infra.cli import evaluate
from jobs.evaluate_drift import synthetic, taxi
from jobs.evaluate_drift.handbook import compare_days
from jobs.evaluate_drift.known import Alarm, Drift, found
from schemas.errors import InputError

DATA = Path(__file__).parents[3] / "shared" / "data"
DAYS = 10


def windows(count, width=100):
    return [(n * width, (n + 1) * width) for n in range(count)]


def verdict(drifts, at, count=20):
    return found(drifts, [Alarm(place, ["x"]) for place in at], windows(count), 1.0)


def test_the_first_alarm_after_a_drift_finds_it_and_its_delay_counts_from_its_begin():
    got = verdict([Drift(450), Drift(1_200)], [600, 1_300])
    assert (got.detected, got.missed, got.delay_events, got.false_alarms) == (2, 0, [150, 100], 0)
    # Calm are all but those from 400 to 600 and from 1,200 to 1,300.
    assert got.calm_windows == 20 - 2 - 1


def test_an_alarm_before_any_drift_and_a_second_one_of_the_same_are_false():
    got = verdict([Drift(450)], [200, 600, 900])
    assert (got.detected, got.false_alarms) == (1, 2)
    assert got.false_alarms_per_100_windows == pytest.approx(200 / 18)


def test_an_alarm_at_the_very_event_of_a_drift_has_not_seen_it():
    assert verdict([Drift(500)], [500]).false_alarms == 1
    assert verdict([Drift(499)], [500]).delay_events == [1]


def test_while_a_slow_drift_comes_about_another_alarm_is_no_false_one():
    assert verdict([Drift(450, 300)], [600, 900]).false_alarms == 0
    assert verdict([Drift(450, 300)], [600, 901]).false_alarms == 1


def test_a_drift_that_nothing_found_is_missed_and_its_windows_are_not_calm():
    got = verdict([Drift(450), Drift(1_200)], [1_300])
    assert (got.detected, got.missed, got.calm_windows) == (1, 1, 4 + 7)


def test_estimates_of_calibrated_scores_are_nearer_than_a_constant_when_days_differ():
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(DAYS), 3_000)
    scores = 1 / (1 + np.exp(-rng.normal(-2, 1 + days / 5)))
    compared = compare_days(days, scores, rng.random(len(days)) < scores, 0)
    assert compared.days == DAYS - 7
    assert compared.mean_absolute_error["roc_auc"] < 0.02 < compared.of_a_constant["roc_auc"]


@pytest.mark.skipif(not (DATA / "drift-synthetic-a").is_dir(), reason="the data set drift-synthetic-a is not here")
def test_drifts_of_made_streams_are_found_but_one_under_noise_without_a_false_alarm():
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(DATA / "drift-synthetic-a"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert {name: (got["detected"], got["missed"]) for name, got in told.items()} == {
        "sea50k": (3, 0),
        # A fifth of its labels is wrong, and one drift is lost in that.
        "sea_0123_abrupto_noise_0.2": (2, 1),
        "sine_0123_abrupto": (3, 0),
        "sine_0123_gradual": (3, 0),
        "stagger_0120_gradual": (3, 0),
    }
    assert sum(got["false_alarms"] for got in told.values()) == 0
    assert all(got["calm_windows"] > 80 and got["memory_bytes_per_feature"] < 1_000 for got in told.values())


@pytest.mark.skipif(not (DATA / "nyc-taxi").is_dir(), reason="the data set nyc-taxi is not here")
def test_the_surcharge_the_tolls_and_the_pandemic_are_found_in_taxi_trips_and_nothing_in_between():
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(DATA / "nyc-taxi"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert {name: (got["detected"], got["missed"]) for name, got in told.items()} == {
        "nyc-taxi": (3, 0),
        "nyc-taxi-2020-against-2018-19": (2, 0),
    }
    assert all(got["memory_bytes_per_feature"] < 1_000 for got in told.values())
    assert told["nyc-taxi"]["false_alarms_per_100_windows"] < 1
    # The weeks of 2020 before the pandemic, but the one in which the surcharge was found: it is in `extra`, too.
    assert told["nyc-taxi-2020-against-2018-19"]["calm_windows"] == 9
    assert told["nyc-taxi-2020-against-2018-19"]["false_alarms"] == 2
    assert "nyc-taxi-2020-against-2018-19 " in done.stdout


@pytest.mark.parametrize("run", [synthetic.run, taxi.run])
def test_a_folder_without_the_files_is_refused(tmp_path, run):
    with pytest.raises(InputError, match="give the folder of"):
        run(tmp_path)


def csv_of(folder, text):
    for stream in synthetic.STREAMS.values():
        with gzip.open(folder / stream.file, "wt") as file:
            file.write(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "can not be read"),
        ("x1,class\n", "no rows"),
        ("class\n1\n", "one column"),
        ("x1,x2,class\n1,2\n", "can not be read"),
        ("x1,class\none,1\n", "the column x1 does not hold numbers alone"),
        ("x1,class\n,1\n1,0\n", "the column x1 does not hold numbers alone .some are missing"),
        ("x1,class\n1,fraud\n", "the column class does not hold numbers alone"),
        ("x1,class\n1,2\n", "the column class holds other labels than 0 and 1"),
    ],
)
def test_a_stream_that_is_none_is_refused_by_file_and_column(tmp_path, text, said):
    csv_of(tmp_path, text)
    with pytest.raises(InputError, match=rf"sea50k\.csv\.gz.*{said}.*give the folder of drift-synthetic-a"):
        synthetic.run(tmp_path)


def test_a_file_that_is_not_compressed_as_its_name_says_is_refused(tmp_path):
    (tmp_path / "sea50k.csv.gz").write_text("x1,class\n1,0\n")
    with pytest.raises(InputError, match=r"sea50k\.csv\.gz can not be read"):
        synthetic.run(tmp_path)


def test_trips_that_are_none_are_refused_by_file_and_column(tmp_path):
    file = tmp_path / taxi.FILE
    file.write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"trips\.parquet can not be read.*give the folder of nyc-taxi"):
        taxi.run(tmp_path)
    at = datetime(2018, 1, 1, tzinfo=UTC)
    whole = {"pickup_datetime": [at], "dropoff_datetime": [at]} | {name: [1.0] for name in taxi.COLUMNS}
    wrong = {
        "no column extra": {name: values for name, values in whole.items() if name != "extra"},
        "column extra does not hold numbers": whole | {"extra": ["some"]},
        "column pickup_datetime does not hold times": whole | {"pickup_datetime": ["yesterday"]},
        "column dropoff_datetime does not hold times alone .some are missing": whole
        | {"dropoff_datetime": pa.array([None], pa.timestamp("ms"))},
    }
    for said, columns in wrong.items():
        parquet.write_table(pa.table(columns), file)
        with pytest.raises(InputError, match=rf"trips\.parquet.*{said}"):
            taxi.run(tmp_path)


def test_the_last_line_names_what_became_of_the_drifts_of_each_synthetic_stream(tmp_path, monkeypatch):
    """Of a small stream of that shape, whose concept turns around in the middle."""
    monkeypatch.setattr(synthetic, "STREAMS", {"sea50k": synthetic.Stream("sea50k.csv.gz", (synthetic.Drift(3_000),))})
    rng = np.random.default_rng(6)
    values = rng.random((6_000, 2))
    labels = (values[:, 0] > 0.5) != (np.arange(6_000) >= 3_000)
    lines = [f"{a:.4f},{b:.4f},{int(label)}" for (a, b), label in zip(values.tolist(), labels, strict=True)]
    csv_of(tmp_path, "\n".join(["x1,x2,class", *lines]))
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert told.keys() == {"sea50k"}
    got = told["sea50k"]
    assert (got["detected"], got["missed"], got["false_alarms_per_100_windows"]) == (1, 0, 0)
    (delay,) = got["delay_events"]
    assert 0 < delay <= 2 * synthetic.WINDOW
    assert got.keys() == {
        "detected", "missed", "delay_events", "calm_windows", "false_alarms", "false_alarms_per_100_windows",
        "memory_bytes_per_feature",
    }  # fmt: skip


def test_a_folder_of_nothing_known_names_what_is_looked_for(tmp_path):
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "trips.parquet" in str(done.exception)

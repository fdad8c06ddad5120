"""Alarms against known drifts, and the streams on which the watch is measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

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
def test_the_abrupt_drifts_of_the_sea_and_of_sines_are_found_with_hardly_a_false_alarm():
    read = synthetic.STREAMS["sea50k"], synthetic.STREAMS["sine_0123_abrupto"]
    for stream in read:
        names, rows, labels = synthetic._read(DATA / "drift-synthetic-a" / stream.file)
        got = synthetic._run(names, rows, labels, list(stream.drifts))
        assert (got.detected, got.missed) == (3, 0)
        assert got.false_alarms_per_100_windows < 1


@pytest.mark.skipif(not (DATA / "nyc-taxi").is_dir(), reason="the data set nyc-taxi is not here")
def test_the_surcharge_and_the_pandemic_are_found_in_taxi_trips_and_nothing_in_between():
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(DATA / "nyc-taxi"), "--json"])
    assert done.exit_code == 0, done.output
    got = json.loads(done.stdout.splitlines()[-1])["nyc-taxi"]
    assert (got["detected"], got["missed"]) == (2, 0)
    assert got["false_alarms_per_100_windows"] < 1
    assert got["memory_bytes_per_feature"] < 1_000


@pytest.mark.parametrize("run", [synthetic.run, taxi.run])
def test_a_folder_without_the_files_is_refused(tmp_path, run):
    with pytest.raises(InputError, match="give the folder of"):
        run(tmp_path)


def test_a_folder_of_nothing_known_names_what_is_looked_for(tmp_path):
    done = CliRunner().invoke(evaluate.command, ["drift", "--data", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "trips.parquet" in str(done.exception)

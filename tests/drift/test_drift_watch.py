"""Windows of answers: what closes them, what they say, and that the same log says the same."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from drift_builders import MODEL, PLACES, START_MS, WATCHED, Run, found, hours, make_reference, record, vectors

from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.errors import StateVersionError
from schemas.events import RecommendationList
from schemas.settings import Drift
from schemas.topics import DEAD_LETTERS, DECISIONS, RECOMMENDATIONS
from schemas.units import HOUR_MS
from serving.drift.sketch import from_bytes
from serving.drift.watch import LATENESS_MS, Watch
from serving.features.catalogue import CALENDAR, NAMES
from serving.inflight import Record

REFERENCE = make_reference()
NONE, SIGNIFICANT = "none", "significant"


@pytest.fixture(scope="module")
def shifted():
    """Thirty hours of which the last twenty have one feature that moved."""
    return Run(given=REFERENCE).feed(hours(30, 300, {10: 2.0}))


def test_a_shifted_feature_is_significant_from_its_first_hour_on_and_no_other_is(shifted):
    levels = [report.level for report in found(shifted.reports, WATCHED[0])]
    assert levels == [NONE] * 10 + [SIGNIFICANT] * 19
    begun = START_MS + 11 * HOUR_MS
    assert {r.since_ms for r in found(shifted.reports, WATCHED[0]) if r.level == SIGNIFICANT} == {begun}
    assert {r.level for name in WATCHED[1:] for r in found(shifted.reports, name)} == {NONE}
    assert {r.level for r in shifted.reports if r.subject == "score"} == {NONE}


def test_the_running_day_follows_as_the_shifted_hours_fill_it(shifted):
    values = [report.value for report in found(shifted.reports, WATCHED[0], hours=24)]
    assert values[9] < 0.1 < 0.2 < values[-1]
    assert values[10:] == sorted(values[10:])


def test_a_drifted_feature_is_shown_by_every_measure_that_fits_it(shifted):
    last = max(report.window_end_ms for report in shifted.reports)
    shown = {r.measure for r in shifted.reports if r.name == WATCHED[0] and r.window_end_ms == last}
    assert {"psi", "kullback_leibler", "jensen_shannon", "kolmogorov_smirnov", "wasserstein"} <= shown
    (report,) = found([r for r in shifted.reports if r.window_end_ms == last], WATCHED[0])
    assert report.action == "retrain"
    assert len(report.reference) == len(report.current) == len(report.edges) + 1


@pytest.mark.parametrize("batch", [1, 97, 10_000])
def test_the_same_log_gives_the_same_reports_however_it_is_cut(batch):
    log = hours(4, 250, {2: 1.0})
    # Some come late, a few of them too late.
    late = [log.pop(place) for place in range(400, 100, -20)]
    log[430:430] = late
    assert Run(given=REFERENCE).feed(log, batch).reports == Run(given=REFERENCE).feed(log).reports


def test_a_step_that_is_restored_goes_on_as_if_nothing_had_happened():
    log = hours(6, 250, {3: 1.0})
    whole = Run(given=REFERENCE).feed(log)
    first = Run(given=REFERENCE).feed(log[:800])
    second = Run(given=REFERENCE, state=first.state).feed(log[800:])
    assert first.reports + second.reports == whole.reports
    assert second.state == whole.state


@pytest.mark.parametrize("prefix", ["window/", "watch/", "watched"])
def test_state_of_another_version_is_refused_by_name(prefix):
    first = Run(given=REFERENCE).feed(hours(1, 50, {}))
    key = next(key for key in first.state if key.startswith(prefix))
    content = msgspec.msgpack.decode(first.state[key])
    first.state[key] = msgspec.msgpack.encode([99, *content[1:]])
    with pytest.raises(StateVersionError, match="version 99"):
        Run(given=REFERENCE, state=first.state)


def test_a_model_that_was_watched_under_another_feature_set_is_forgotten_and_watched_anew():
    log = hours(3, 300, {})
    first = Run(given=REFERENCE).feed(log[:450])
    version, models, newest_ms = msgspec.msgpack.decode(first.state["watched"])
    first.state["watched"] = msgspec.msgpack.encode([version, dict.fromkeys(models, "fraud-0"), newest_ms])
    windows = {key for key in first.state if key.startswith("window/")}
    second = Run(given=REFERENCE, state=first.state).feed(log[600:])
    assert windows
    assert windows.isdisjoint(second.state)
    assert second.state == Run(given=REFERENCE).feed(log[600:]).state


def test_a_watch_with_feature_sets_of_its_own_is_restored_with_them():
    sets, state = {"stream": ("a", "b")}, {}
    first = Watch(state.get, lambda _: None, Drift(sample_permille=1000), lambda *_: None, feature_sets=sets)
    first.step([record(n, START_MS + n, [0.5, 1.0], feature_set="stream") for n in range(3)])
    state |= first.take_writes()
    again = Watch(state.get, lambda _: None, Drift(sample_permille=1000), lambda *_: None, feature_sets=sets)
    assert again.windows() == first.windows() > 0
    assert again.take_writes() == {}


def test_what_follows_from_the_date_has_no_drift():
    rows = vectors(np.random.default_rng(1), 200)
    made = reference(rows.astype(np.float32), list(NAMES), np.full(200, 0.5))
    assert made.features.keys() == set(NAMES) - CALENDAR
    assert made.components is not None
    assert CALENDAR.isdisjoint(made.components.inputs)
    learned = Run().feed(hours(26, 100, {}, model=""))
    (kept,) = (value for key, value in learned.state.items() if key.startswith("watch/"))
    assert msgspec.msgpack.decode(kept)[3]["features"].keys() == set(NAMES) - CALENDAR


def test_a_window_closes_by_event_time_and_silence_closes_nothing():
    run = Run(given=REFERENCE).feed(hours(1, 300, {}))
    assert run.reports == []
    quiet = vectors(np.random.default_rng(0), 1)[0].tolist()
    run.feed([record(300, START_MS + HOUR_MS + LATENESS_MS - 1, quiet)])
    assert run.reports == []
    run.feed([record(301, START_MS + HOUR_MS + LATENESS_MS, quiet)])
    assert {report.window_end_ms for report in run.reports} == {START_MS + HOUR_MS}


def test_an_answer_of_a_closed_window_is_counted_and_left_out():
    log = hours(3, 250, {})
    run = Run(given=REFERENCE).feed(log)
    before = dict(run.state)
    run.feed([log[0], log[249]])
    assert run.counted["late"] == 2
    assert {k: v for k, v in run.state.items() if "window" in k} == {k: v for k, v in before.items() if "window" in k}


def test_too_few_answers_say_nothing():
    run = Run(Drift(sample_permille=1000, min_samples=301), given=REFERENCE).feed(hours(3, 300, {0: 5.0}))
    assert {report.window_end_ms - report.window_start_ms for report in run.reports} == {24 * HOUR_MS}
    assert min(report.samples for report in run.reports) == 600


def test_nulls_values_out_of_range_and_vectors_of_another_shape_are_told():
    log = hours(2, 300, {})
    rng = np.random.default_rng(3)
    for place in range(30):
        rows = vectors(rng, 1)[0].tolist()
        rows[PLACES[1]] = None if place % 3 else -50.0
        # A record is what the broker holds: JSON knows no number that is none but null.
        log.append(record(600 + place, START_MS + place, rows))
    log += [record(700, START_MS, [1.0, 2.0])]
    log += [record(701, START_MS + 2 * HOUR_MS, vectors(rng, 1)[0].tolist())]
    run = Run(given=REFERENCE).feed(sorted(log, key=lambda r: r.arrival_ms))
    (nulls,) = found(run.reports, WATCHED[1], "null_share")
    (outside,) = found([r for r in run.reports if r.window_start_ms == START_MS], WATCHED[1], "outside_share")
    (unread,) = found([r for r in run.reports if r.window_start_ms == START_MS], "vector", "unread_share")
    assert (nulls.value, nulls.level) == (20 / 330, SIGNIFICANT)
    assert (outside.value, outside.level) == (10 / 330, "moderate")
    assert (unread.value, unread.level) == (1 / 331, "moderate")


def test_one_value_far_beyond_the_range_of_the_training_is_told_and_its_end_too():
    log = hours(26, 300, {})
    rows = vectors(np.random.default_rng(3), 1)[0].tolist()
    high = REFERENCE.features[WATCHED[1]].high
    rows[PLACES[1]] = 100 * high
    log.append(record(len(log), START_MS + 1, rows))
    run = Run(given=REFERENCE).feed(sorted(log, key=lambda r: r.arrival_ms))
    far, over = found(run.reports, WATCHED[1], "range_ratio")
    assert (far.value, far.limit, far.level) == (pytest.approx(100), 2.0, "moderate")
    assert (over.level, over.window_start_ms) == ("none", START_MS + HOUR_MS)
    whole_days = found(run.reports, WATCHED[1], "range_ratio", hours=24)
    assert {report.level for report in whole_days[:-1]} == {"moderate"}
    assert whole_days[-1].level == "none"


@pytest.mark.parametrize(("trained", "told"), [(14_000, False), (15_000, True)])
def test_twice_the_largest_value_of_a_training_that_was_short_may_be_chance(trained, told):
    # Of 301 answers the largest is 2.1 times that of 14,333 others in one window of a hundred.
    given = make_reference(trained)
    log = hours(2, 300, {})
    vector = vectors(np.random.default_rng(3), 1)[0].tolist()
    vector[PLACES[1]] = 2.1 * given.features[WATCHED[1]].high
    log.append(record(len(log), START_MS + 1, vector))
    run = Run(given=given).feed(sorted(log, key=lambda r: r.arrival_ms))
    assert bool(found(run.reports, WATCHED[1], "range_ratio")) == told


def test_what_can_not_be_read_is_a_dead_letter_and_stops_nothing():
    run = Run(given=REFERENCE).feed([Record(DECISIONS.name, 0, 0, 5, b"u", b'{"event_id":'), *hours(1, 10, {})])
    assert [output.topic for output in run.outputs] == [DEAD_LETTERS.name]
    assert run.counted == {"rejects": 1}


def of_merchants(log):
    """The same payments at thousands of merchants, of which seven have a third."""
    rng = np.random.default_rng(8)
    for one in log:
        at = int(rng.integers(7)) if rng.random() < 0.3 else int(rng.integers(100, 5_000))
        content = msgspec.json.decode(one.value) | {"merchant_id": f"m{at}"}
        yield msgspec.structs.replace(one, value=msgspec.json.encode(content))


def test_after_the_first_day_its_heavy_names_are_counted_exactly_and_none_drifts():
    log = list(of_merchants(hours(28, 500, {})))
    run = Run(given=REFERENCE).feed(log)
    begun = [START_MS - START_MS % HOUR_MS + hour * HOUR_MS for hour in range(28)]
    raw = run.state[f"window/{MODEL}//{begun[-2]}"]
    counted = [msgspec.json.decode(one.value)["merchant_id"] for one in log if begun[-2] <= one.arrival_ms < begun[-1]]
    assert from_bytes(raw).named == {f"m{n}": counted.count(f"m{n}") for n in range(7)}
    told = found(run.reports, "names") + found(run.reports, "names", hours=24)
    assert len(told) >= 4
    assert {report.level for report in told} == {NONE}


def test_windows_that_an_earlier_release_went_on_estimating_are_counted_on():
    log = hours(28, 300, {})
    cut = len(log) - 350
    whole, first = Run(given=REFERENCE).feed(log), Run(given=REFERENCE).feed(log[:cut])
    for key, raw in first.state.items():
        if key.startswith("window/"):
            old = from_bytes(raw)
            for name, count in old.named.items():
                old.heavy.update(name, count)
            old.named = None
            first.state[key] = old.to_bytes()
    second = Run(given=REFERENCE, state=first.state).feed(log[cut:])
    assert first.reports + second.reports == whole.reports
    assert found(second.reports, "names")


def test_what_the_api_showed_of_a_list_is_no_second_answer():
    made = RecommendationList(event_id="e", event_time_ms=START_MS, user_id="u", list_id="l", items=[], feature_set="x")
    shown = msgspec.structs.replace(made, event_id="a", list_id="a", origin="list", of_list="l")
    records = [
        Record(RECOMMENDATIONS.name, 0, place, START_MS, b"u", codec.encode(one))
        for place, one in enumerate((made, shown))
    ]
    assert Run(given=REFERENCE).feed(records).counted == {"unwatched": 1}


def test_a_model_without_a_reference_is_compared_with_its_own_first_day():
    run = Run().feed(hours(30, 200, {27: 2.0}))
    first = [report for report in run.reports if report.window_start_ms < START_MS + 24 * HOUR_MS]
    assert {report.window_end_ms - report.window_start_ms for report in first} <= {24 * HOUR_MS}
    by_hour = {r.window_start_ms: r.level for r in found(run.reports, WATCHED[0])}
    assert [by_hour[START_MS + hour * HOUR_MS] for hour in range(25, 29)] == [NONE, NONE, SIGNIFICANT, SIGNIFICANT]


def test_features_that_only_stopped_moving_together_are_found_by_what_is_left_over():
    rng = np.random.default_rng(8)

    def joined(count):
        rows = vectors(rng, count)
        rows[:, PLACES[1]] = rows[:, PLACES[0]] + rng.normal(0, 0.05, count)
        return rows

    rows = joined(20_000)
    bound = reference(rows[:, PLACES].astype(np.float32), WATCHED, rng.random(20_000))
    loose = joined(900)
    loose[450:, PLACES[1]] = rng.permutation(loose[450:, PLACES[1]])
    log = [record(n, START_MS + n * 2 * HOUR_MS // 600, row.tolist(), 0.5) for n, row in enumerate(loose)]
    run = Run(given=bound).feed(log)
    assert {r.level for name in WATCHED for r in found(run.reports, name)} == {NONE}
    joint = found([r for r in run.reports if r.subject == "multivariate"], "reconstruction")
    assert [r.level for r in joint] == [NONE, SIGNIFICANT]


def test_of_a_thousand_answers_so_many_are_watched_as_the_settings_say():
    log = hours(1, 4_000, {})
    run = Run(Drift(sample_permille=250), given=REFERENCE).feed(log)
    later = record(4_002, START_MS + 3 * HOUR_MS, vectors(np.random.default_rng(0), 1)[0].tolist())
    run.feed([msgspec.structs.replace(later, offset=offset) for offset in range(4_002, 4_010)])
    (report,) = found(run.reports, WATCHED[0])
    assert 990 <= report.samples <= 1010
    assert report.model == MODEL


def test_what_goes_round_in_a_day_is_compared_by_whole_days_and_what_goes_round_in_a_week_not_at_all():
    rng = np.random.default_rng(5)
    names = ["amount", "hour", "is_weekend"]
    places = [NAMES.index(name) for name in names]

    def row(at_ms):
        made = np.zeros(len(NAMES))
        made[places] = rng.gamma(2, 1), at_ms // HOUR_MS % 24, at_ms // (24 * HOUR_MS) % 7 > 4
        return made

    times = [START_MS + number * HOUR_MS // 200 for number in range(50 * 200)]
    rows = np.array([row(at_ms) for at_ms in times])
    trained = np.array([row(at_ms) for at_ms in range(START_MS, START_MS + 7 * 24 * HOUR_MS, HOUR_MS // 100)])
    given = reference(trained[:, places].astype(np.float32), names, rng.random(len(trained)))
    run = Run(given=given).feed([record(n, at_ms, rows[n].tolist(), 0.5) for n, at_ms in enumerate(times)])
    assert {r.level for r in found(run.reports, "amount")} == {NONE}
    assert found(run.reports, "hour") == []
    assert {r.level for r in found(run.reports, "hour", hours=24)} == {NONE}
    assert found(run.reports, "is_weekend", hours=24) == []


def test_the_other_measures_are_told_once_more_when_a_drift_is_over():
    """What an alert began with must say itself that it is over."""
    reports = Run(given=REFERENCE).feed(hours(8, 300, {2: 2.0, 4: 0.0})).reports
    assert [r.level for r in found(reports, WATCHED[0], "wasserstein")] == [SIGNIFICANT] * 2 + [NONE]
    assert {r.every_ms for r in reports} == {HOUR_MS}


def test_a_value_that_many_answers_have_lies_in_the_bin_that_training_counted_it_in():
    """6.12 and 7.3 lie above what training, in single precision, made of them: every one would be in the next bin."""
    rng = np.random.default_rng(5)

    def tolls(count):
        rows = np.zeros((count, len(NAMES)))
        rows[:, PLACES[0]] = rng.choice([0.0, 6.12, 7.3], count, p=[0.5, 0.3, 0.2])
        return rows

    given = reference(tolls(5_000)[:, PLACES].astype(np.float32), WATCHED, rng.random(5_000))
    assert 6.12 > given.features[WATCHED[0]].edges[-1] == np.float32(6.12)
    rows = tolls(900)
    times = [START_MS + number * HOUR_MS // 300 for number in range(len(rows))]
    reports = Run(given=given).feed([record(n, at_ms, rows[n].tolist(), 0.5) for n, at_ms in enumerate(times)]).reports
    assert {r.level for r in found(reports, WATCHED[0])} == {NONE}
    assert max(r.value for r in found(reports, WATCHED[0])) < 0.1
    assert [r for r in reports if r.measure == "outside_share"] == []

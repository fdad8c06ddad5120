"""From times to figures, and from figures to the table."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infra.bench import report, run
from infra.bench.alerts import AlertLatency
from infra.bench.asker import Endpoint
from infra.bench.click_to_list import ClickToList
from infra.bench.curves import Curve
from infra.bench.drift import Cost, Pair, overhead
from infra.bench.freshness import Freshness
from infra.bench.latency import Latency, Timeline
from infra.bench.lists import AtRate, Lists
from infra.bench.load import Sent
from infra.bench.percentiles import Percentiles, percentiles
from infra.bench.plain_loop import Looped
from infra.bench.reader import Read
from infra.bench.recovery import judge
from infra.bench.reference import Reference
from infra.bench.throughput import Drain, Sample, steady
from infra.demo.steps import Steps
from schemas.errors import PartFailedError

NAN = float("nan")


def _timeline(due, answered, repeated=0):
    answered = np.array(answered, float)
    read = Read(int(np.count_nonzero(~np.isnan(answered))), repeated)
    return Timeline(np.array(due, float), answered, Sent(len(due), 1.0, 0.0), read)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_sorted_values(values):
    found = percentiles(np.array(values))
    ordered = sorted(values)
    assert found.count == len(values)
    assert found.max == round(ordered[-1], 3)
    for share, value in ((0.5, found.p50), (0.99, found.p99)):
        place = share * (len(values) - 1)
        low, high = ordered[int(place)], ordered[min(int(place) + 1, len(values) - 1)]
        assert value == pytest.approx(low + (high - low) * (place - int(place)), abs=1e-3)


@given(st.floats(100, 50_000), st.integers(1_000, 100_000))
def test_a_steady_drain_gives_its_rate_whatever_surrounds_it(rate, count):
    # Nothing for 2 s, then the rate, then a slow tail after nine tenths.
    samples = [Sample(float(s), 0) for s in range(3)]
    steps = np.linspace(0, 0.9 * count, 20)
    samples += [Sample(2 + answers / rate, round(answers)) for answers in steps[1:]]
    samples.append(Sample(samples[-1].at_s + 100, count))
    per_s, share = steady(samples, count, laid_s=0.0)
    assert per_s == pytest.approx(rate, rel=0.02)
    assert 0.7 < share <= 0.8


def test_the_time_in_which_the_backlog_was_laid_down_does_not_count():
    slow = [Sample(float(s), 100 * s) for s in range(11)]
    fast = [Sample(10 + s / 10, 1000 + 100 * s) for s in range(1, 91)]
    assert steady(slow + fast, 10_000, laid_s=10.0)[0] == pytest.approx(1_000)
    assert steady(slow + fast, 10_000, laid_s=0.0)[0] < 1_010


def test_a_drain_too_quick_for_the_samples_is_measured_as_a_whole():
    assert steady([Sample(0.0, 0), Sample(1.0, 0), Sample(1.5, 500)], 500, 0.0)[0] == pytest.approx(1_000)


def test_the_silence_is_the_longest_gap_between_decisions_and_nothing_lost_is_hidden():
    found = judge("task-manager-1", _timeline([0, 100, 200, 300, 400], [20, 120, 4_120, NAN, 4_200], repeated=2))
    assert (found.silence_s, found.late_s, found.lost, found.repeated) == (4.0, 3.92, 1, 2)


def test_a_run_without_any_decision_is_all_lost():
    found = judge("task-manager-1", _timeline([0, 100], [NAN, NAN]))
    assert found.lost == 2
    assert np.isnan(found.late_s)


def _found():
    fast, slow = Percentiles(100, 5.0, 8.0, 9.0, 12.0, 20.0), Percentiles(100, 14.0, 50.0, 61.0, 80.0, 90.0)
    return {
        "at_ms": 1,
        "machine": {"cores": 2, "memory_gb": 8.0, "load_average": 0.1},
        "model": "fraud@1",
        "latency": {"2000": Latency(2000, fast, 0, 0, 0.1), "5000": Latency(5000, slow, 3, 1, 9.0)},
        "throughput": Drain(1000, 16_000.0, 0.8, 2.0, 0, 0),
        "plain-loop": Looped(1000, 22_000.0),
        "freshness": Freshness(1000, slow, 2),
        "store-read": fast,
        "memory": {"kafka": 300.0, "redis": 10.0},
        "recommend": Lists(
            "recommend@3",
            0.9731,
            [
                AtRate(ClickToList(250, fast, 0, 0, 50_000, 1_250, 10_000), Endpoint(100, slow, 80, 70)),
                AtRate(ClickToList(500, slow, 1, 0, 50_000, 1_250, 10_000), Endpoint(100, fast, 80, 70)),
            ],
        ),
        "state": {
            "bytes": {"user": 900, "card": 500},
            "recommend_bytes": {
                "user": 316,
                "item": 419,
                "user_memory": 1200,
                "item_memory": 900,
                "vector_memory": 640,
            },
            "checkpoint_mb": 2.5,
        },
        "curves": [Curve("users", [1000, 10_000], [50.0, 51.5])],
        "reference": Reference(Drain(1000, 31_000.0, 0.8, 2.0, 0, 0), Latency(5000, fast, 0, 0, 0.0)),
        "recovery": judge("task-manager-1", _timeline([0, 100], [20, 12_000])),
        "alerts": {"published": AlertLatency(fast, slow, slow, 0), "store_down_s": [41.2, 52.7]},
        "drift": overhead(
            [Pair(9_800.0, 10_000.0), Pair(9_500.0, 10_500.0), Pair(8_000.0, 10_000.0)],
            Cost(30.0, 12.0, 1.0, 80.0, 60, 5_000.0),
        ),
    }


def test_the_json_has_the_promised_keys():
    short = msgspec.json.decode(msgspec.json.encode(report.summary(_found())))
    assert short["throughput_per_s"] == 16_000
    assert short["reference_per_s"] == 31_000
    assert short["reference_latency_ms"]["p99"] == 9
    assert short["plain_loop_per_s"] == 22_000
    assert short["recovery_s"] == pytest.approx(11.98)
    assert short["latency_ms"]["2000"] == {"p50": 5, "p95": 8, "p99": 9, "p999": 12}
    assert short["redis_freshness_ms"]["p99"] == 61
    assert short["store_read_ms"]["p99"] == 9
    assert short["rss_mb"] == {"kafka": 300, "redis": 10}
    assert short["state_bytes_per_user"] == 900
    assert short["click_to_list_ms"]["p99"] == 61
    assert short["recommend_ms"]["p99"] == 9
    assert {rate: at["p99"] for rate, at in short["click_to_list_at_ms"].items()} == {"250": 9, "500": 61}
    assert {rate: at["p99"] for rate, at in short["recommend_at_ms"].items()} == {"250": 61, "500": 9}
    assert short["alert_latency_s"] == {"p50": 0.014, "p99": 0.061, "max": 0.09}
    assert short["store_down_s"] == [41.2, 52.7]
    assert short["throughput_ratio_with_drift"] == 0.905
    assert short["throughput_ratios_with_drift"] == [0.98, 0.905, 0.8]
    assert (short["recommend_bytes"]["user"], short["recommend_bytes"]["item_memory"]) == (316, 900)


def test_the_table_says_of_each_budget_whether_it_was_met():
    lines = {line[:44].strip(): line for line in report.table(_found()).splitlines()}
    assert " met" in lines["latency at 2,000/s, p50 / p99 ms"]
    memory = lines["its memory of a user / an item, bytes"]
    assert "1,200 / 900" in memory
    assert "640 for the item's vector" in memory
    watched = lines["throughput with the watch of drift"]
    assert "90.5%" in watched
    assert "met" in watched
    assert "median of 3 pairs, 80.0% to 98.0%; with to without, /s: 9,800 to 10,000, 9,500 to 10,500" in watched
    missed = lines["latency at 5,000/s, p50 / p99 ms"]
    assert "MISSED" in missed
    assert "3 lost, 1 repeated, load itself up to 9 ms late" in missed
    assert " met" in lines["throughput, payments/s"]
    assert "MISSED" in lines["features of a user from Redis, p50 / p99 ms"]
    assert "MISSED" in lines["longest silence after SIGKILL, s"]
    # Fast enough, but one list was never seen.
    assert "MISSED" in lines["click to list at 500/s, p50 / p99 ms"]
    assert " met" in lines["click to list at 250/s, p50 / p99 ms"]
    assert " met" in lines["GET /recommendations, p50 / p99 ms"], "the last is of the highest rate"
    shop = lines["recommender / recall@10 of its index"]
    assert "recommend@3 / 0.973" in shop
    assert "50,000 users, 1,250 of them click, 10,000 items" in shop
    assert " met" in lines["a store that dies to receiver, longest s"]
    assert " met" in lines["reference work, payments/s"]
    assert "13,400" in lines["Bytewax 0.21"]


def test_the_curves_say_what_was_measured_and_what_was_not():
    table = report.table(_found())
    assert "cost per event of the step in one process, state in memory, processor us" in table
    assert "users share the bytes of one; n buckets are batches of 200/n" in table


def test_what_was_not_measured_is_in_neither():
    found = {key: value for key, value in _found().items() if key in {"at_ms", "machine", "model", "memory"}}
    assert set(report.summary(found)) == {"at_ms", "machine", "model", "rss_mb"}
    assert "latency" not in report.table(found)


def test_history_has_a_line_for_each_result_and_one_for_the_whole_bench(tmp_path):
    history = report.History(tmp_path / "bench" / "history.jsonl")
    found = _found()
    facts = {key: found[key] for key in ("at_ms", "machine", "model")}
    history.add(facts, {"memory": found["memory"]})
    history.add(facts, {"store-read": found["store-read"]})
    history.close(found)
    *parts, whole = [msgspec.json.decode(line) for line in history.file.read_bytes().splitlines()]
    assert [part.pop("partial") for part in parts] == [True, True]
    assert [part.keys() - facts.keys() for part in parts] == [{"memory"}, {"store-read"}]
    assert "partial" not in whole
    assert all(whole[key] == value for part in parts for key, value in part.items())


def test_the_rows_of_the_parts_are_the_rows_of_the_table():
    found = _found()
    parts = [{"latency": {rate: at}} for rate, at in found["latency"].items()]
    before = ("throughput", "plain-loop", "freshness", "store-read", "drift", "recommend", "state")
    parts += [{key: found[key]} for key in before]
    parts += [{"alerts": {name: part}} for name, part in found["alerts"].items()]
    parts += [{key: found[key]} for key in ("recovery", "reference", "memory", "curves")]
    rows = [row for part in parts for row in report.rows(part)]
    assert rows == report.rows(found)
    assert report.table(found).endswith("\n".join(rows))


def test_a_bench_that_is_cut_short_has_told_what_it_measured(monkeypatch):
    def fail(_):
        raise PartFailedError("no more")

    measured = {"state": (run.Part("state", lambda _: {"bytes": {"user": 1}}),)}
    measured["latency"] = tuple(run.Part(rate, lambda _, at=rate: {at: 1.0}) for rate in ("1000", "2000"))
    measured["throughput"] = (run.Part("throughput", fail),)
    monkeypatch.setattr(run, "MEASUREMENTS", measured)
    told, waits, steps = [], [], Steps(Console(quiet=True))
    wanted = [{"state": {"bytes": {"user": 1}}}, {"latency": {"1000": 1.0}}, {"latency": {"2000": 1.0}}]
    whole = run.measure_all(None, ["state", "latency"], steps, told.append, waits.append)
    assert whole == {"state": {"bytes": {"user": 1}}, "latency": {"1000": 1.0, "2000": 1.0}}
    assert told == wanted
    assert len(waits) == len(wanted) - 1, "what runs on no job has nothing to wait for"
    told.clear()
    with pytest.raises(PartFailedError):
        run.measure_all(None, ["state", "latency", "throughput"], steps, told.append, waits.append)
    assert told == wanted

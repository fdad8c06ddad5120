"""What the bench asks of the step in its own process, and the reference work against a naive one."""

import msgspec
import numpy as np
import onnx
import pytest

from infra.bench import curves, reference, state_size
from infra.bench.in_process import NOW_MS, Step, payment
from infra.bench.workload import Workload
from jobs.bench_reference.job import BENCH_IN, BENCH_REFERENCE, FEATURES, MODEL_FILE, Scored
from jobs.names import BENCH_JOB_NAMES
from jobs.runtime.stage import Door
from schemas import codec
from schemas.events import Transaction
from schemas.settings import Registry, Settings
from serving.control import Control
from serving.inflight import Record
from serving.windows import WINDOWS_MS


def _no_model(_):
    raise AssertionError("there is no model here")


@pytest.fixture
def control():
    return Control(_no_model)


def test_every_payment_of_the_step_is_decided_and_kept(control):
    step = Step(control, 10)
    assert step.run([payment(n, n % 50, NOW_MS + n) for n in range(200)]) > 0
    assert {key for key in step.state if key.startswith("user:")} == {f"user:u{n}" for n in range(50)}


def test_state_of_a_user_grows_with_its_events_and_is_told_by_kind(control):
    sizes = state_size.bytes_by_kind(control)
    assert set(sizes) == {"user", "device", "card", "outcomes"}
    assert all(100 < size < 20_000 for size in sizes.values())


def test_a_user_and_an_item_of_the_recommender_have_their_size_in_state_and_in_memory():
    sizes = state_size.recommender_bytes(300)
    assert set(sizes) == {"user", "item", "user_memory", "item_memory", "vector_memory"}
    assert all(100 < size < 20_000 for size in sizes.values())
    # Columns of neighbours have the same room for an item that has none.
    assert sizes["item_memory"] > sizes["item"]


def test_each_point_of_a_curve_is_measured(control):
    found = curves.curves(control, 1_000, 20)
    assert [curve.name for curve in found] == ["history length, events", "users", "buckets"]
    for curve in found:
        assert len(curve.values) == len(curve.us_per_event) > 1
        assert all(us > 0 for us in curve.us_per_event)


class _Counts:
    def count(self, *_args, **_kwargs):
        pass


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The reference work's stage, opened as the runtime opens it, over state in a dict."""
    root = tmp_path_factory.mktemp("registry")
    (root / MODEL_FILE).parent.mkdir()
    (root / MODEL_FILE).write_bytes(reference.trees())
    settings = Settings(registry=Registry(str(root)))
    opened = BENCH_REFERENCE.flows[0].stages[0]
    opened.open(Door(read={}.get, metrics=_Counts(), settings=settings, clock_us=lambda: 0, now_ms=lambda: 0))
    return opened


def test_the_reference_work_answers_each_payment_with_its_windows(stage):
    workload = Workload(20, "small_payments")
    times = [NOW_MS + 200_000 * n for n in range(300)]
    records = [Record(BENCH_IN.name, 0, n, times[n], *workload.record("run", n, times[n])) for n in range(len(times))]
    answers = [
        codec.decode(Scored, output.value)
        for start in range(0, 300, 7)
        for output in stage.step(records[start : start + 7])
    ]
    assert [answer.event_id for answer in answers] == [f"run-{n}" for n in range(300)]
    paid = [codec.decode(Transaction, record.value) for record in records]
    for n, answer in enumerate(answers):
        assert len(answer.features) == FEATURES
        assert 0 <= answer.score <= 1
        for place, width in enumerate(WINDOWS_MS):
            window = [
                round(p.amount, 2)
                for p in paid[: n + 1]
                if p.user_id == answer.user_id and p.event_time_ms > times[n] - width
            ]
            assert answer.features[place] == len(window)
            assert answer.features[4 + place] == pytest.approx(sum(window))
            assert answer.features[8 + place] == pytest.approx(np.mean(window))
    assert stage.take_writes()


def test_the_reference_trees_are_150_of_depth_6():
    model = onnx.load_from_string(reference.trees())
    (node,) = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    trees = next(a.ints for a in node.attribute if a.name == "nodes_treeids")
    assert len(set(trees)) == 150
    # A tree of depth 6 has at most 127 nodes: nearly all of them are there.
    assert len(trees) > 150 * 60


def test_the_bench_job_is_named_like_its_name_list():
    assert (BENCH_REFERENCE.name,) == BENCH_JOB_NAMES


def test_the_answer_of_the_reference_work_is_an_event():
    answer = Scored(event_id="a", event_time_ms=1, user_id="u", score=0.5, features=[1.0])
    assert msgspec.json.decode(codec.encode(answer))["event_id"] == "a"

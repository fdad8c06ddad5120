"""A recommender that can not score what its signature says is refused before it is in force; the one before goes on."""

from __future__ import annotations

import io
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from onnx import TensorProto, helper
from recommend_builders import NOON_MS, arrived, catalogue, history

from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out, register
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from schemas.control import ModelPointer
from schemas.errors import SignatureError
from schemas.events import ControlRecord
from serving.recommend import artifact as artifacts
from serving.recommend.artifact import Artifact
from serving.recommend.control import RecommendControl
from serving.recommend.embeddings import als
from serving.recommend.features.catalogue import NAMES
from serving.recommend.linear import Linear
from serving.recommend.recommender import Recommender
from serving.registry import Registry

ITEMS, WIDTH = 40, len(NAMES)
EVENTS = history(5, users=20, items=ITEMS, count=400)
SMALL = Parameters(embeddings=Embeddings(dimension=4, rounds=2), trees=Trees(count=2), splits=1, holdout=0.3)


@pytest.fixture(scope="module")
def fitted():
    return held_out.fit(catalogue(ITEMS), EVENTS, SMALL, stratified, threads=1, tell=lambda _: None)


def trees(rows: int | str = "rows", width: int = WIDTH, **attributes: object) -> bytes:
    """A network of one node in the place of trees, from a tensor `given` to a tensor `score`."""
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["given"], ["score"], **({"axes": [1], "keepdims": 1} | attributes))],
        "trial",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, [rows, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


TENSORS = {"input_tensor": "given", "output_tensor": "score"}
BAD = {
    "another input tensor": (trees(), TENSORS | {"input_tensor": "features"}),
    "another output tensor": (trees(), TENSORS | {"output_tensor": "rank"}),
    "another width": (trees(width=WIDTH - 1), TENSORS),
    "one candidate at a time": (trees(rows=1), TENSORS),
    "a score for each feature": (trees(axes=[0]), TENSORS),
}


@pytest.mark.parametrize("name", BAD)
def test_a_ranker_that_can_not_score_is_refused(fitted, name):
    onnx, changes = BAD[name]
    signature = msgspec.structs.replace(fitted.signature(SMALL), **changes)
    with pytest.raises(SignatureError, match=r"^ranker recommend@0 (can not score what|gives scores of shape)"):
        Artifact(signature, onnx, fitted.built.model)


def test_the_ranker_beside_them_scores(fitted):
    signature = msgspec.structs.replace(fitted.signature(SMALL), **TENSORS)
    assert Artifact(signature, trees(), fitted.built.model).ranker is not None


def test_a_ranker_whose_score_is_no_number_is_refused(fitted):
    signature = msgspec.structs.replace(fitted.signature(SMALL), base=[float("nan")] * WIDTH)
    with pytest.raises(SignatureError, match="gives no number; train it again"):
        Artifact(signature, fitted.ranker.onnx, fitted.built.model)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


GOOD = (ints(0, 1, 2), ints(1, 0).astype(np.int32), np.ones(2, np.float32))
MISFITS = {
    "a row too few": (GOOD[0][:-1], *GOOD[1:]),
    "rows that go back": (ints(0, 3, 2), *GOOD[1:]),
    "rows that begin later": (ints(1, 1, 2), *GOOD[1:]),
    "rows that end too late": (ints(0, 1, 9), *GOOD[1:]),
    "an item that is not there": (GOOD[0], ints(1, 2).astype(np.int32), GOOD[2]),
    "an item below the first": (GOOD[0], ints(1, -1).astype(np.int32), GOOD[2]),
    "a weight too few": (*GOOD[:2], GOOD[2][:-1]),
    "a weight that is no number": (*GOOD[:2], np.array([1, np.nan], np.float32)),
}


@pytest.mark.parametrize("name", MISFITS)
def test_linear_rows_that_do_not_fit_are_refused(name):
    Linear("x", ["a", "b"], *GOOD)
    with pytest.raises(SignatureError, match="linear model x: rows, columns and weights do not fit"):
        Linear("x", ["a", "b"], *MISFITS[name])


def test_factors_that_no_user_can_be_folded_into_are_refused():
    with pytest.raises(SignatureError, match="factors too large"):
        als.Als("x", ["a"], np.full((1, 2), 1e30, np.float32), confidence=1.0, regularisation=1.0)


def damaged(raw: bytes, **changes: object) -> bytes:
    room = io.BytesIO()
    with np.load(io.BytesIO(raw)) as held:
        np.savez(room, **({name: held[name] for name in held} | changes))
    return room.getvalue()


UNREADABLE = {
    "no archive": lambda _: b"PK\x03\x04 no archive",
    "nothing": lambda _: b"",
    "ids that are no JSON": lambda raw: damaged(raw, ids=np.frombuffer(b"{", np.uint8)),
    "words for factors": lambda raw: damaged(raw, factors=np.array([["many"]])),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_job_that_is_pointed_to_what_can_not_be_read_keeps_its_model_and_has_a_reason_to_report(
    fitted, tmp_path, name
):
    """The stage catches what is raised here (`jobs/runtime/controlled.py`); anything else would stop the job."""
    number = register.register(Registry(tmp_path), fitted, SMALL, data="", code_version="", author="me", at_ms=1)
    good = Registry(tmp_path).pointer("recommend", number, "Production")
    control = RecommendControl(lambda pointer: artifacts.load(pointer, tmp_path))
    control.apply(record(good))
    items = UNREADABLE[name](fitted.built.model.to_bytes())
    signature = msgspec.structs.replace(fitted.signature(SMALL), version="2", items_sha256=sha256(items).hexdigest())
    described = msgspec.json.encode(signature)
    folder = tmp_path / "bad"
    folder.mkdir()
    for file, content in (("signature.json", described), ("ranker.onnx", fitted.ranker.onnx), ("items.npz", items)):
        (folder / file).write_bytes(content)
    with pytest.raises(SignatureError, match=r"model recommend@2: items\.npz can not be read"):
        control.apply(
            record(msgspec.structs.replace(good, version="2", path="bad", sha256=sha256(described).hexdigest()))
        )
    assert control.artifact is not None
    assert control.artifact.label == f"recommend@{number}"
    made = Recommender()
    made.learn(catalogue(ITEMS))
    assert all(one.ranker == f"recommend@{number}" for one in made.step(arrived(EVENTS[:5]), control))


def record(pointer: ModelPointer) -> ControlRecord:
    payload = msgspec.Raw(msgspec.json.encode(pointer))
    return ControlRecord(event_id="c", event_time_ms=NOON_MS, kind="model", name="recommend", payload=payload)

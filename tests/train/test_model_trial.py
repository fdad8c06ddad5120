"""A model that can not score what its signature says is refused before it is in force, by the job as by the command."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from example_builders import START_MS, add, files, signature
from onnx import TensorProto, helper

from infra.force import Force
from infra.promotion import promote
from schemas.control import ModelPointer
from schemas.errors import SignatureError
from schemas.events import ControlRecord
from schemas.models import Calibration, Promotion, Signature
from serving.control import Control
from serving.features.catalogue import NAMES
from serving.model import Model, load
from serving.registry import Registry

WIDTH = len(NAMES)


def network(rows: int | str = "rows", width: int = WIDTH, node: str = "ReduceMean", **attributes: object) -> bytes:
    """One node from a tensor `given` to a tensor `score`."""
    graph = helper.make_graph(
        [helper.make_node(node, ["given"], ["score"], **attributes)],
        "trial",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, [rows, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


def described(model: bytes, **changes: object) -> Signature:
    as_is = signature("1", model)
    return msgspec.structs.replace(as_is, **{"input_tensor": "given", "output_tensor": "score"} | changes)


GOOD = network(axes=[1], keepdims=1)
BAD = {
    "another input tensor": (GOOD, {"input_tensor": "features"}),
    "another output tensor": (GOOD, {"output_tensor": "probabilities"}),
    "another width": (network(width=WIDTH - 1, axes=[1], keepdims=1), {}),
    "one payment at a time": (network(rows=1, axes=[1], keepdims=1), {}),
    "one score for all": (network(axes=[0, 1], keepdims=0), {}),
    "a score of three dimensions": (network(node="Unsqueeze", axes=[1]), {}),
    "no calibration": (GOOD, {"calibration": Calibration([], [])}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_can_not_score_is_refused(name):
    model, changes = BAD[name]
    with pytest.raises(
        SignatureError, match=r"^model fraud@1 (can not score what its signature says: |gives scores of)"
    ):
        Model(described(model, **changes), model)


def test_the_model_beside_them_scores():
    assert Model(described(GOOD), GOOD).label == "fraud@1"


@pytest.fixture
def registry(tmp_path):
    """Version 1 is good; 2 names a tensor that its network has not."""
    made = Registry(tmp_path)
    for version, tensor in (("1", "given"), ("2", "features")):
        assert add(made, model=GOOD) == version
        (tmp_path / "fraud" / version / "signature.json").write_bytes(
            msgspec.json.encode(described(GOOD, version=version, input_tensor=tensor))
        )
    return made


def test_a_job_that_is_pointed_to_it_keeps_its_model_and_has_a_reason_to_report(registry):
    """The stage catches what Control raises (`jobs/runtime/controlled.py`); anything else would stop the job."""
    state = Control(lambda pointer: load(pointer, registry.root))
    state.apply(pointer_to(registry, "1"))
    with pytest.raises(SignatureError, match="Required inputs"):
        state.apply(pointer_to(registry, "2"))
    assert state.model is not None
    assert state.model.label == "fraud@1"


def pointer_to(registry: Registry, version: str) -> ControlRecord:
    signature_sha256 = sha256((registry.root / "fraud" / version / "signature.json").read_bytes()).hexdigest()
    pointer = ModelPointer("fraud", version, "Production", f"fraud/{version}", signature_sha256)
    payload = msgspec.Raw(msgspec.json.encode(pointer))
    return ControlRecord(event_id="c", event_time_ms=1, kind="model", name="fraud", payload=payload)


def test_it_can_not_be_promoted(registry):
    before, told = files(registry.root), []
    with pytest.raises(SignatureError, match="can not score"):
        promote(registry, told.extend, "fraud", Promotion("2", "Production", START_MS, "tester", ""), Force())
    assert (files(registry.root), told) == (before, [])

"""Two towers as ONNX, from their weights: a graph of a dozen nodes that says all that they compute.

item: the row of the table, plus what two layers make of it and of the standardised inputs.
user: a linear map of the pooled vectors and standardised numbers, plus what two layers make of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from serving.recommend.embeddings.tower_inputs import ITEM_WIDTH, user_width
from serving.recommend.embeddings.two_tower import INPUTS, ROW, VECTOR, Towers

OPSET, IR_VERSION = 17, 8

# `table` (rows, dimension); `item_mean`, `item_scale` (ITEM_WIDTH,); `item_hidden` (dimension + ITEM_WIDTH, hidden)
# and `item_out` (hidden, dimension) with `..._bias`; `user_mean`, `user_scale`, `user_hidden`, `user_out` alike over
# user_width(dimension) inputs, and `user_direct` (inputs, dimension).
Weights = Mapping[str, NDArray[np.float32]]


def towers(weights: Weights) -> Towers:
    """Both networks; the same weights give the same bytes."""
    dimension = weights["table"].shape[1]
    item = [
        helper.make_node("Gather", ["table", ROW], ["id"], axis=0),
        *_standardised("item"),
        helper.make_node("Concat", ["id", "standard"], ["x"], axis=1),
        *_layers("item"),
        helper.make_node("Add", ["id", "out"], [VECTOR]),
    ]
    user = [
        *_standardised("user"),
        helper.make_node("Identity", ["standard"], ["x"]),
        *_layers("user"),
        helper.make_node("MatMul", ["x", "user_direct"], ["direct"]),
        helper.make_node("Add", ["direct", "out"], [VECTOR]),
    ]
    row = helper.make_tensor_value_info(ROW, TensorProto.INT64, ["n"])
    return Towers(
        _model("item_tower", item, [row, _floats(INPUTS, ITEM_WIDTH)], dimension, weights),
        _model("user_tower", user, [_floats(INPUTS, user_width(dimension))], dimension, weights),
    )


def _standardised(tower: str) -> list[NodeProto]:
    return [
        helper.make_node("Sub", [INPUTS, f"{tower}_mean"], ["centred"]),
        helper.make_node("Mul", ["centred", f"{tower}_scale"], ["standard"]),
    ]


def _layers(tower: str) -> list[NodeProto]:
    return [
        helper.make_node("Gemm", ["x", f"{tower}_hidden", f"{tower}_hidden_bias"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", f"{tower}_out", f"{tower}_out_bias"], ["out"]),
    ]


def _floats(name: str, width: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])


def _model(name: str, nodes: list[NodeProto], inputs: list[ValueInfoProto], dimension: int, weights: Weights) -> bytes:
    used = sorted({given for node in nodes for given in node.input} & set(weights))
    tensors = [numpy_helper.from_array(np.ascontiguousarray(weights[key], np.float32), key) for key in used]
    graph = helper.make_graph(nodes, name, inputs, [_floats(VECTOR, dimension)], tensors)
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    model.producer_name = "sluice"
    checker.check_model(model)
    written: bytes = model.SerializeToString(deterministic=True)
    return written

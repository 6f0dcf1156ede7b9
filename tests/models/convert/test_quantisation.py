"""The int8 form of a graph: close to the graph, whatever its layers share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.convert.quantisation import quantise
from tests.models.convert.test_attention import LENGTHS, exported, logits

RANDOM = np.random.default_rng(3)


def samples() -> list[dict[str, Any]]:
    feeds = [{"input_ids": RANDOM.integers(5, 40, (1, length))} for length in LENGTHS]
    return [feed | {"token_type_ids": np.ones_like(feed["input_ids"])} for feed in feeds]


def kinds(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(str(path)).graph.node)


def outcome(path: Path, rows: Any) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"rows": rows})[0]


def small_graph(path: Path, weights: dict[str, Any], nodes: list[Any], width: int) -> Path:
    """A graph from `rows` of shape (1, tokens, width) to `out`."""
    tensors = [numpy_helper.from_array(np.float32(v), n) for n, v in weights.items()]
    shape = [1, "tokens", width]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("rows", 1, shape)],
        [helper.make_tensor_value_info("out", 1, [1, "tokens", None])],
        tensors,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def test_layers_that_read_the_same_values_share_their_quantisation(tmp_path: Path) -> None:
    path = exported(tmp_path / "m")
    fuse_attention(path)
    before = [logits(path, length) for length in LENGTHS]
    target = tmp_path / "int8.onnx"
    assert quantise(path, target, samples()) == 12  # two layers of six
    count = kinds(target)
    assert count["MatMulIntegerToFloat"] == 12
    assert count["DynamicQuantizeLinear"] == 8  # queries, keys and values of a layer read one
    assert count["MatMul"] == 0
    scores = np.ravel([logits(target, length) for length in LENGTHS])
    spread = float(np.ptp(before))
    np.testing.assert_allclose(scores, np.ravel(before), atol=0.1 * spread)


def test_a_narrow_last_layer_is_quantised_too(tmp_path: Path) -> None:
    path = exported(tmp_path / "m")
    fuse_attention(path)
    keep_first_token(path)
    before = [logits(path, length) for length in LENGTHS]
    target = tmp_path / "int8.onnx"
    assert quantise(path, target, samples()) == 12
    scores = np.ravel([logits(target, length) for length in LENGTHS])
    np.testing.assert_allclose(scores, np.ravel(before), atol=0.1 * float(np.ptp(before)))


def test_a_tensor_that_two_layers_share_is_scaled_for_each(tmp_path: Path) -> None:
    weights = {"w": RANDOM.normal(size=(16, 16)), "b": RANDOM.normal(size=16)}
    nodes = [
        helper.make_node("MatMul", ["rows", "w"], ["m1"]),
        helper.make_node("Add", ["m1", "b"], ["x1"]),
        helper.make_node("Relu", ["x1"], ["r1"]),
        helper.make_node("MatMul", ["r1", "w"], ["m2"]),
        helper.make_node("Add", ["b", "m2"], ["out"]),
    ]
    path = small_graph(tmp_path / "tied.onnx", weights, nodes, 16)
    rows = RANDOM.normal(size=(1, 9, 16)).astype(np.float32) * np.linspace(0.1, 5, 16)
    rows = rows.astype(np.float32)
    assert quantise(path, tmp_path / "int8.onnx", [{"rows": rows}]) == 2
    exact, ours = outcome(path, rows), outcome(tmp_path / "int8.onnx", rows)
    assert np.abs(exact - ours).max() < 0.05 * np.abs(exact).max()


@pytest.mark.parametrize("lowest", [0.0, -8.0])
def test_one_large_token_costs_the_others_nothing_where_a_layer_narrows(
    lowest: float, tmp_path: Path
) -> None:
    weights = {"w": RANDOM.normal(size=(64, 16))}
    nodes = [helper.make_node("MatMul", ["rows", "w"], ["out"])]
    path = small_graph(tmp_path / "narrow.onnx", weights, nodes, 64)
    rows = RANDOM.uniform(lowest / 80, 0.1, size=(1, 9, 64)).astype(np.float32)
    rows[0, 0] *= 1000
    assert quantise(path, tmp_path / "int8.onnx", [{"rows": rows}]) == 1
    exact, ours = outcome(path, rows), outcome(tmp_path / "int8.onnx", rows)
    assert np.abs(exact - ours)[0, 1:].max() < 0.03 * np.abs(exact)[0, 1:].max()


def test_heads_and_what_varies_stay_as_they_are(tmp_path: Path) -> None:
    weights = {"w": RANDOM.normal(size=(16, 16))}
    nodes = [
        helper.make_node("Transpose", ["rows"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["rows", "turned"], ["products"]),
        helper.make_node("MatMul", ["products", "rows"], ["mixed"]),
        helper.make_node("ReduceMean", ["mixed"], ["one"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["one", "w"], ["out"]),
    ]
    path = small_graph(tmp_path / "head.onnx", weights, nodes, 16)
    rows = RANDOM.normal(size=(1, 9, 16)).astype(np.float32)
    assert quantise(path, tmp_path / "same.onnx", [{"rows": rows}]) == 0
    np.testing.assert_array_equal(outcome(path, rows), outcome(tmp_path / "same.onnx", rows))

"""FusionAnswer attention computes what the exported nodes compute, or is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from rerank_lab.core.context import Context
from rerank_lab.models import open_encoder, open_scorer, open_token_encoder
from rerank_lab.models.convert import fused_graph, torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import VECTORS_FORM, converted_folder, read_conversion
from rerank_lab.models.locate.resolve import locate
from tests.models.tiny import save_cross_encoder

LENGTHS = (2, 7, 30, 64)


def exported(folder: Path, architecture: str = "bert") -> Path:
    save_cross_encoder(folder, architecture)
    path = folder / "graph.onnx"
    torch_export.export(
        torch_export.load_source(locate(str(folder)), "AutoModelForSequenceClassification"), path
    )
    return path


def logits(path: Path, length: int) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(length).integers(5, 40, (1, length))
    feed = {value.name: np.ones_like(ids) for value in session.get_inputs()}
    return session.run(None, feed | {"input_ids": ids})[0]


def edited(path: Path, change: Any) -> Path:
    """A copy of a graph in which `change(model, node)` has been made at every softmax."""
    model = onnx.load(str(path))
    for node in [node for node in model.graph.node if node.op_type == "Softmax"]:
        change(model.graph, node)
    target = path.with_name("edited.onnx")
    onnx.save(model, str(target))
    return target


def before_softmax(kind: str, values: Any) -> Any:
    """Put `kind(scores, values)` before a softmax."""

    def change(graph: Any, node: Any) -> None:
        name = f"{node.name}/{kind}"
        graph.initializer.append(numpy_helper.from_array(np.float32(values), f"{name}/values"))
        place = next(i for i, other in enumerate(graph.node) if other is node)
        made = helper.make_node(kind, [node.input[0], f"{name}/values"], [name])
        graph.node.insert(place, made)
        node.input[0] = name

    return change


@pytest.mark.parametrize("architecture", ["bert", "xlm-roberta"])
def test_each_layer_becomes_one_operator_with_the_same_result(
    architecture: str, tmp_path: Path
) -> None:
    path = exported(tmp_path / "m", architecture)
    before = [logits(path, length) for length in LENGTHS]
    assert fuse_attention(path) == 2
    kinds = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert kinds.count("MultiHeadAttention") == 2
    assert "Softmax" not in kinds
    for length, expected in zip(LENGTHS, before, strict=True):
        np.testing.assert_allclose(logits(path, length), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ["deberta-v2", "modernbert"])
def test_attention_that_looks_at_positions_stays_as_it_is(
    architecture: str, tmp_path: Path
) -> None:
    path = exported(tmp_path / "m", architecture)
    before = path.read_bytes()
    assert fuse_attention(path) == 0
    assert path.read_bytes() == before


def test_something_added_that_is_no_mask_stays(tmp_path: Path) -> None:
    bias = np.random.default_rng(0).normal(size=(1, 2, 64, 64))
    path = edited(exported(tmp_path / "m"), before_softmax("Add", bias))
    assert fuse_attention(path) == 0


def test_a_mask_of_the_attention_mask_alone_is_left_out(tmp_path: Path) -> None:
    def masked(graph: Any, node: Any) -> None:
        if not any(value.name == "attention_mask" for value in graph.input):
            shape = [1, "sequence"]
            graph.input.append(helper.make_tensor_value_info("attention_mask", 7, shape))
            for name, value in (("one", 1.0), ("least", -1e9)):
                graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
            nodes = [
                helper.make_node("Cast", ["attention_mask"], ["mask/float"], to=1),
                helper.make_node("Sub", ["one", "mask/float"], ["mask/hidden"]),
                helper.make_node("Mul", ["mask/hidden", "least"], ["mask"]),
            ]
            for made in reversed(nodes):
                graph.node.insert(0, made)
        place = next(i for i, other in enumerate(graph.node) if other is node)
        name = f"{node.name}/masked"
        graph.node.insert(place, helper.make_node("Add", [node.input[0], "mask"], [name]))
        node.input[0] = name

    path = edited(exported(tmp_path / "m"), masked)
    before = logits(path, 30)
    assert fuse_attention(path) == 2
    np.testing.assert_allclose(logits(path, 30), before, rtol=1e-4, atol=1e-4)


def test_a_graph_whose_fused_form_differs_runs_as_it_came(tmp_path: Path) -> None:
    # Scores turned round: the form is the known one, the result is another.
    path = edited(exported(tmp_path / "m"), before_softmax("Mul", -30.0))
    located = locate(str(tmp_path / "m"))
    chosen = fused_graph.fused_graph(located, path, tmp_path / "m" / "tokenizer.json", Context())
    assert chosen == fused_graph.RewrittenGraph(path)
    found = read_conversion(converted_folder(located))
    assert found is not None
    assert found.precision == "none"
    assert "other results" in found.reason


def test_a_data_folder_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(tmp_path / "m")
    in_the_way = tmp_path / "home"
    in_the_way.write_text("a file where the folder should be")
    monkeypatch.setenv("RERANK_LAB_HOME", str(in_the_way))
    located = locate(str(tmp_path / "m"))
    tokenizer = tmp_path / "m" / "tokenizer.json"
    assert fused_graph.fused_graph(located, path, tokenizer, Context()).path == path


@pytest.mark.models
@pytest.mark.parametrize("name", ["ms-marco-minilm-l12", "bge-small-en", "colbert-small-encoder"])
def test_the_carried_graphs_run_fused(name: str) -> None:
    opened = {
        "ms-marco-minilm-l12": open_scorer,
        "bge-small-en": open_encoder,
        "colbert-small-encoder": open_token_encoder,
    }
    opened[name](name, Context())
    form = f"cls-{VECTORS_FORM}" if name == "bge-small-en" else ""
    found = read_conversion(converted_folder(locate(name), form))
    assert found is not None
    assert found.precision == "fused"
    assert found.tau >= fused_graph.MIN_AGREEMENT

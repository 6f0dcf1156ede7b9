"""The last layer for the first token only: the same result, or no rewriting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from rerank_lab.core.context import Context
from rerank_lab.models import open_encoder, open_scorer
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import VECTORS_FORM, converted_folder, read_conversion
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.locate.resolve import locate
from tests.models.convert.test_attention import LENGTHS, exported, logits
from tests.models.tiny import ARCHITECTURES, save_bi_encoder


def hidden_states(folder: Path) -> Path:
    """An encoder's graph, which gives a vector a token."""
    path = save_bi_encoder(folder, "cls") / "graph.onnx"
    source = torch_export.load_source(locate(str(folder)), "AutoModel")
    torch_export.export(source, path, output="last_hidden_state")
    return path


def first_reader(path: Path) -> Any:
    """The node that picks the token for the head."""
    model = onnx.load(str(path))
    gathers = [node for node in model.graph.node if node.op_type == "Gather"]
    return model, gathers[-1]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_head_that_reads_one_token_gets_the_same_from_less(
    architecture: str, fused: bool, tmp_path: Path
) -> None:
    path = exported(tmp_path / "m", architecture)
    before = [logits(path, length) for length in LENGTHS]
    if fused:
        fuse_attention(path)
    assert keep_first_token(path) > 5
    for length, expected in zip(LENGTHS, before, strict=True):
        np.testing.assert_allclose(logits(path, length), expected, rtol=1e-4, atol=1e-4)


def test_no_shape_of_the_whole_text_is_left_on_record(tmp_path: Path) -> None:
    path = exported(tmp_path / "m")
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(str(path))), str(path))
    assert keep_first_token(path) > 5
    assert not onnx.load(str(path)).graph.value_info


def test_of_vectors_only_the_first_is_left(tmp_path: Path) -> None:
    path = hidden_states(tmp_path / "m")
    before = [logits(path, length) for length in LENGTHS]
    fuse_attention(path)
    assert keep_first_token(path, hidden_states=True) > 5
    for length, expected in zip(LENGTHS, before, strict=True):
        assert logits(path, length).shape == (1, 1, 32)
        np.testing.assert_allclose(logits(path, length)[:, 0], expected[:, 0], atol=1e-5)


def test_a_graph_that_gives_all_vectors_stays(tmp_path: Path) -> None:
    path = hidden_states(tmp_path / "m")
    before = path.read_bytes()
    assert keep_first_token(path) == 0
    assert path.read_bytes() == before


def test_a_head_that_reads_another_token_stays(tmp_path: Path) -> None:
    path = exported(tmp_path / "m")
    model, gather = first_reader(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "second"))
    gather.input[1] = "second"
    onnx.save(model, str(path))
    before = path.read_bytes()
    assert keep_first_token(path) == 0
    assert path.read_bytes() == before


def test_a_value_that_is_read_beside_the_head_stays_whole(tmp_path: Path) -> None:
    path = exported(tmp_path / "m")
    model, gather = first_reader(path)
    model.graph.output.append(onnx.ValueInfoProto(name=gather.input[0]))
    onnx.save(model, str(path))
    assert keep_first_token(path) == 0


def test_vectors_of_a_converted_encoder_are_those_of_torch(tmp_path: Path) -> None:
    folder = str(save_bi_encoder(tmp_path / "m", "cls"))
    assert open_encoder(folder, Context()).plan.first_token
    conversion = read_conversion(converted_folder(locate(folder), VECTORS_FORM))
    assert conversion is not None
    assert conversion.first_token  # tests of conversion compare the vectors


@pytest.mark.models
def test_carried_heads_and_carried_vectors_of_one_token_run_narrow() -> None:
    encoder = open_encoder("bge-small-en", Context())
    conversion = read_conversion(converted_folder(locate("bge-small-en"), f"cls-{VECTORS_FORM}"))
    assert conversion is not None
    assert conversion.precision == "fused"
    assert encoder.plan.first_token
    scorer = open_scorer("ms-marco-minilm-l12", Context())
    assert scorer.plan.first_token

"""Converted encoders: int8 where the order survives, else the same vectors as torch gives.

The full-precision form is compared number by number, which proves what is done around the network
(prompts, lengths, [MASK] expansion, words left out); int8 by the order it gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.models import ModelOptions
from rerank_lab.models.convert import late_interaction, sparse
from rerank_lab.models.convert.precision import compare
from rerank_lab.models.execution_plan import plan_encoder
from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.probes import PROBES
from rerank_lab.models.runtime import device
from rerank_lab.rerankers.local.bi_encoder import BiEncoderReranker
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from tests.models.spoiled import spoil_int8
from tests.models.test_pylate import save_pylate
from tests.models.tiny import (
    save_bi_encoder,
    save_multi_vector,
    save_splade,
)

CTX = Context()
TORCH = ModelOptions(device="cpu", backend="torch")
QUERIES = [probe.query for probe in PROBES]
TEXTS = [text for probe in PROBES for text in (probe.answer, probe.decoy)]
LONG = "Paris is the capital of France . " * 20

Save = Callable[[Path], Path]


def prompted(folder: Path, pooling: str) -> Path:
    return save_bi_encoder(folder, pooling, {"query": "question ", "document": "text "})


SAVED: dict[str, tuple[str, Save]] = {
    "mean": ("encoder", lambda folder: prompted(folder, "mean")),
    "cls": ("encoder", lambda folder: prompted(folder, "cls")),
    "multi-vector": ("token_encoder", save_multi_vector),
    "pylate": ("token_encoder", save_pylate),
    "attended": ("token_encoder", lambda f: save_pylate(f, attend_to_expansion_tokens=True)),
    "not-expanded": ("token_encoder", lambda f: save_pylate(f, do_query_expansion=False)),
    "splade": ("sparse_encoder", save_splade),
}


def opened(task: str, folder: Path, options: ModelOptions | None = None) -> Any:
    return getattr(models, f"open_{task}")(str(folder), CTX, options=options)


def arrays(encoder: Any, texts: list[str], kind: str) -> list[np.ndarray]:
    """Of each text a vector, or a row a token."""
    encoded = encoder.encode(texts, kind, CTX)
    if not isinstance(encoded, np.ndarray) and hasattr(encoded[0], "ids"):
        size = 1 + max(int(vector.ids.max()) for vector in encoded)
        rows = np.zeros((len(texts), size), np.float32)
        for row, vector in zip(rows, encoded, strict=True):
            row[vector.ids] = vector.weights
        return list(rows)
    return list(encoded)


def scores(encoder: Any) -> list[list[float]]:
    """Of each query and text: inner product, or MaxSim."""
    queries, texts = arrays(encoder, QUERIES, "query"), arrays(encoder, TEXTS, "passage")
    if queries[0].ndim == 1:
        width = min(len(queries[0]), len(texts[0]))
        return [[float(q[:width] @ t[:width]) for t in texts] for q in queries]
    return [[float((q @ t.T).max(axis=1).sum()) for t in texts] for q in queries]


@pytest.mark.parametrize("name", ["mean", "cls", "pylate", "splade"])
def test_int8_keeps_the_order(name: str, tmp_path: Path) -> None:
    task, save = SAVED[name]
    folder = save(tmp_path / "m")
    converted = opened(task, folder)
    assert converted.backend == "onnx int8"
    tau, _ = compare(scores(converted), scores(opened(task, folder, TORCH)))
    assert tau > 0.94  # checked at .96 on other texts


@pytest.mark.parametrize("name", SAVED)
def test_in_full_precision_vectors_are_those_of_torch(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, save = SAVED[name]
    folder = save(tmp_path / "m")
    spoil_int8(monkeypatch)
    converted, exact = opened(task, folder), opened(task, folder, TORCH)
    assert (converted.backend, exact.backend) == ("onnx fp32", "torch float32 cpu")
    for kind in ("query", "passage"):
        ours, theirs = (arrays(e, [*TEXTS, LONG], kind) for e in (converted, exact))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=2e-4)


def test_a_text_has_the_same_vectors_in_any_company(tmp_path: Path) -> None:
    encoder = opened("token_encoder", save_pylate(tmp_path / "m"))
    together = arrays(encoder, TEXTS, "passage")
    alone = [arrays(encoder, [text], "passage")[0] for text in TEXTS]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rules_that_the_converted_form_does_not_know_are_left_to_torch(tmp_path: Path) -> None:
    folder = save_multi_vector(tmp_path / "m")
    (rules,) = folder.glob("*MultiVectorMask/config.json")
    rules.write_text(json.dumps(json.loads(rules.read_text()) | {"skiplist_tasks": ["query"]}))
    assert opened("token_encoder", folder).backend == "torch float32 cpu"
    conversion = late_interaction.convert_token_encoder(locate(str(folder)), CTX)
    assert "rules of its own" in conversion.reason


def test_splade_with_another_pooling_is_left_to_torch(tmp_path: Path) -> None:
    from sentence_transformers import SparseEncoder

    model = SparseEncoder(str(save_splade(tmp_path / "m")), device="cpu")
    model[1].pooling_strategy = "sum"
    model.save_pretrained(str(tmp_path / "sum"))
    assert opened("sparse_encoder", tmp_path / "sum").backend == "torch float32 cpu"
    assert sparse.convert_sparse_encoder(locate(str(tmp_path / "sum")), CTX).precision == "none"


def test_vectors_made_another_way_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(save_bi_encoder(tmp_path / "m"))
    located = locate(folder)

    def digests() -> tuple[str, str]:
        plan = plan_encoder(located, ModelOptions(), CTX)
        return plan.digest, BiEncoderReranker(model=folder).weights_digest()

    before, heads = digests(), CrossEncoderReranker(model=folder).weights_digest()
    monkeypatch.setattr("rerank_lab.models.execution_plan.VECTORS_VERSION", "later")
    monkeypatch.setattr("rerank_lab.models.opening.VECTORS_VERSION", "later")
    after = digests()
    assert not set(before) & set(after)
    assert CrossEncoderReranker(model=folder).weights_digest() == heads, "scores stay as they are"
    for module in ("rerank_lab.models.execution_plan", "rerank_lab.models.opening"):
        monkeypatch.setattr(f"{module}.int8_form", lambda: ":7bit")
    assert not set(after) & set(digests()), "weights rounded to 7 bits give other vectors"


def test_digests_say_so_where_int8_is_rounded_to_7_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_int8_dot_products", lambda: True)
    assert device.int8_form() == ""
    monkeypatch.setattr(device, "has_int8_dot_products", lambda: False)
    assert device.int8_form() == ":7bit"

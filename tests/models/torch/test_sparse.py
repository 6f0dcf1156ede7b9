"""Learned sparse vectors against the formula worked out by hand and against the reference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.models import open_sparse_encoder
from rerank_lab.models.probes import PROBES
from rerank_lab.models.runtime.request import ModelOptions, Usage
from rerank_lab.rerankers.local.splade import SpladeReranker
from rerank_lab.retrievers.splade import Splade
from tests.models.tiny import save_cross_encoder, save_splade

CTX = Context()
TORCH = ModelOptions(device="cpu", backend="torch")
TEXTS = [text for probe in PROBES[:6] for text in (probe.answer, probe.decoy)]
QUERY = PROBES[0].query


@pytest.fixture(scope="module")
def splade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked language model whose logits are spread out, so that vectors differ."""
    return save_splade(tmp_path_factory.mktemp("splade"))


def by_hand(folder: Path, text: str) -> np.ndarray:
    """max over tokens of log(1 + relu(logit)), of one text alone."""
    import torch
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt", truncation=True)
    with torch.inference_mode():
        logits = AutoModelForMaskedLM.from_pretrained(folder).eval()(**inputs).logits[0]
    weights: np.ndarray = torch.log1p(torch.relu(logits)).max(0).values.numpy()
    return weights


def dense(folder: Path, texts: list[str], options: ModelOptions) -> np.ndarray:
    encoder = open_sparse_encoder(str(folder), CTX, options)
    size = len(by_hand(folder, "Paris"))
    rows = np.zeros((len(texts), size), np.float32)
    for row, vector in zip(rows, encoder.encode(texts, "passage", CTX), strict=True):
        row[vector.ids] = vector.weights
    return rows


def test_vectors_agree_with_the_formula_and_with_sentence_transformers(splade: Path) -> None:
    from sentence_transformers import SparseEncoder

    ours = dense(splade, TEXTS, TORCH)
    assert np.ptp(ours) > 0.1, "a test on equal vectors would prove nothing"
    np.testing.assert_allclose(ours[0], by_hand(splade, TEXTS[0]), atol=1e-4)
    reference = SparseEncoder(str(splade), device="cpu")
    theirs = reference.encode_document(TEXTS, convert_to_sparse_tensor=False)
    np.testing.assert_allclose(ours, theirs.cpu().numpy(), atol=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 60])
def test_vectors_do_not_depend_on_the_batch(splade: Path, batch_tokens: int) -> None:
    batched = dense(splade, TEXTS, replace(TORCH, batch_tokens=batch_tokens))
    np.testing.assert_allclose(batched, dense(splade, TEXTS, TORCH), atol=1e-4)


def test_texts_that_did_not_fit_are_named(splade: Path) -> None:
    usage = Usage()
    encoder = open_sparse_encoder(str(splade), CTX, ModelOptions(device="cpu"))
    encoder.encode(["Paris", "Paris is " * 100], "passage", CTX, usage)
    assert usage.truncated == {1}


def test_a_model_without_weights_for_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="not a learned sparse encoder"):
        open_sparse_encoder(str(save_cross_encoder(tmp_path)), CTX)


def test_first_stage_and_reranker_give_the_same_scores(splade: Path, tmp_path: Path) -> None:
    documents = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
    corpus = Corpus("probes", tuple(documents))
    for _ in ("built", "opened"):
        retriever = Splade(model=str(splade), device="cpu")
        retriever.build(corpus, CTX, tmp_path)
        found = retriever.search(Query.of(QUERY), None, CTX).ranking
    reranker = SpladeReranker(model=str(splade), device="cpu")
    ranked = reranker.rerank(Query.of(QUERY), documents, CTX).ranking
    scores = {hit.doc_id: hit.score for hit in ranked}
    assert len(found) == len(TEXTS)
    assert {h.doc_id: h.score for h in found} == pytest.approx(scores, rel=1e-5)

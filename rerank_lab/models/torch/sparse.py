"""Learned sparse encoders (SPLADE): texts to weights over the words of a vocabulary."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.execution_plan import torch_plan
from rerank_lab.models.local_model import LocalModel
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch
from rerank_lab.models.runtime.request import InferenceRequest, Kind, ModelOptions, Usage
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.loading import load_sentence_transformer
from rerank_lab.models.torch.sentence_transformer import SentenceTransformerEngine

_POOLINGS = ("SpladePooling", "SparseStaticEmbedding", "SparseAutoEncoder")


class Sparse(NamedTuple):
    """One text: token ids (ascending) and their weights (> 0), both of shape [n_terms]."""

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]


class SparseEncoder(LocalModel["TorchSparse"]):
    """A SPLADE model: texts to sparse vectors, to be compared by inner product."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
        return self.computed(
            texts,
            [len(text) for text in texts],
            lambda engine, some, request: engine.embed_sparse(some, kind, request),
            ctx,
            usage,
            part=kind,
        )


class TorchSparse(SentenceTransformerEngine):
    """Any sentence-transformers SparseEncoder, or a masked language model trained as SPLADE.

    For the latter a word's weight is the largest log(1 + relu(logit)) that any token of the text
    gives it (Formal et al. 2021, "SPLADE v2", arXiv:2109.10086).
    """

    def embed_sparse(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
        self.model.max_seq_length = request.max_length
        inputs = [clipped(text, request.max_length)[0] for text in texts]
        return self.batches(
            inputs, request, functools.partial(self._vectors, kind=kind), request.max_length
        )

    def _vectors(self, texts: list[str], kind: Kind) -> list[Sparse]:
        encode = self.model.encode_query if kind == "query" else self.model.encode_document
        dense = encode(
            texts, batch_size=len(texts), convert_to_sparse_tensor=False, show_progress_bar=False
        )
        vectors = []
        for row in dense.float().cpu().numpy():
            ids = np.flatnonzero(row > 0)
            vectors.append(Sparse(ids.astype(np.int32), row[ids].astype(np.float32)))
        return vectors


def open_sparse_encoder(
    model: str, ctx: Context, options: ModelOptions | None = None
) -> SparseEncoder:
    """A learned sparse encoder, loaded. Raises ModelUnavailable with what to do."""
    options = options or ModelOptions()
    located = fetch(model, ctx)
    _require_sparse(located)
    plan = torch_plan(
        located,
        "sparse",
        options,
        lambda device, dtype: TorchSparse(
            load_sentence_transformer(located, "SparseEncoder", device, dtype), device, dtype
        ),
        memory_factor=1.5,
    )
    encoder = SparseEncoder(plan, options)
    encoder.load(ctx)
    return encoder


def _require_sparse(located: LocatedModel) -> None:
    architecture = located.architecture
    try:
        modules = (located.folder / "modules.json").read_text("utf-8")
    except OSError:
        modules = ""
    if any(name in modules for name in _POOLINGS) or architecture.endswith("ForMaskedLM"):
        return
    raise ModelUnavailable(
        f"{located.name} is not a learned sparse encoder"
        f"{f' ({architecture})' if architecture else ''}: it gives no weights to words.",
        hint="Choose a SPLADE model: a masked language model or a sentence-transformers "
        "SparseEncoder.",
    )

"""Learned sparse encoders (SPLADE): texts to weights over the words of a vocabulary."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.runtime.engine import Sparse
from rerank_lab.models.runtime.request import InferenceRequest, Kind
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.loading import load_sentence_transformer
from rerank_lab.models.torch.sentence_transformer import SentenceTransformerEngine

_POOLINGS = ("SpladePooling", "SparseStaticEmbedding", "SparseAutoEncoder")


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


def load_sparse(located: LocatedModel, device: str, dtype: str) -> TorchSparse:
    """A learned sparse encoder. Raises ModelUnavailable."""
    model = load_sentence_transformer(located, "SparseEncoder", device, dtype)
    return TorchSparse(model, device, dtype)


def require_sparse(located: LocatedModel) -> None:
    """Raises ModelUnavailable for a model that gives no weights to words."""
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

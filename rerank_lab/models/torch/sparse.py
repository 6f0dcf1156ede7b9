"""Learned sparse encoders (SPLADE): texts to weights over the words of a vocabulary."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.execution_plan import Plan
from rerank_lab.models.handles import Handle
from rerank_lab.models.locate.resolve import Located, fetch
from rerank_lab.models.runtime.device import choose_device, torch_dtype
from rerank_lab.models.runtime.memory import Usage
from rerank_lab.models.runtime.request import Call, Kind, Options
from rerank_lab.models.runtime.tokens import clipped
from rerank_lab.models.torch.backend import TorchEngine

_POOLINGS = ("SpladePooling", "SparseStaticEmbedding", "SparseAutoEncoder")


class Sparse(NamedTuple):
    """One text: token ids (ascending) and their weights (> 0), both of shape (terms,)."""

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]


class SparseEncoder(Handle):
    """A SPLADE model: texts to sparse vectors, to be compared by inner product."""

    __slots__ = ()

    def encode(
        self, texts: Sequence[str], kind: Kind, ctx: Context, usage: Usage | None = None
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
        if not texts:
            return []
        with self.call(ctx, usage) as (engine, call):
            vectors: list[Sparse] = engine.embed_sparse(texts, kind, call)
            return vectors


class TorchSparse(TorchEngine):
    """Any sentence-transformers SparseEncoder, or a masked language model trained as SPLADE.

    For the latter a word's weight is the largest log(1 + relu(logit)) that any token of the text
    gives it (Formal et al. 2021, "SPLADE v2", arXiv:2109.10086).
    """

    def embed_sparse(self, texts: Sequence[str], kind: Kind, call: Call) -> list[Sparse]:
        self.model.max_seq_length = call.max_length
        inputs = [clipped(text, call.max_length)[0] for text in texts]
        return self.batches(
            inputs, call, functools.partial(self._vectors, kind=kind), call.max_length
        )

    def _vectors(self, texts: list[str], kind: Kind) -> list[Sparse]:
        encode = self.model.encode_query if kind == "query" else self.model.encode_document
        dense = encode(
            texts, batch_size=len(texts), convert_to_sparse_tensor=False, show_progress_bar=False
        )
        found = []
        for row in dense.float().cpu().numpy():
            ids = np.flatnonzero(row > 0)
            found.append(Sparse(ids.astype(np.int32), row[ids].astype(np.float32)))
        return found


def open_sparse_encoder(model: str, ctx: Context, options: Options | None = None) -> SparseEncoder:
    """A learned sparse encoder, loaded. Raises ModelUnavailable with what to do."""
    options = options or Options()
    located = fetch(model, ctx)
    _require_sparse(located)
    device = choose_device(options.device)
    dtype = torch_dtype(device)
    plan = Plan(
        located,
        "sparse",
        f"torch {dtype} {device}",
        lambda _: _load_engine(located, device, dtype),
        size=int(located.weights_size * 1.5),
    )
    handle = SparseEncoder(plan, options)
    handle.load(ctx)
    return handle


def _require_sparse(located: Located) -> None:
    architecture = str((located.json("config.json").get("architectures") or [""])[0])
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


def _load_engine(located: Located, device: str, dtype: str) -> Any:
    from sentence_transformers import SparseEncoder as Model

    from rerank_lab.models.torch.backend import _load

    return TorchSparse(_load(Model, located, device, dtype), device, dtype)

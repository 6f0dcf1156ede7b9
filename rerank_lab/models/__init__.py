"""How local models are found and run: one place for every retriever and reranker that needs one.

    open_scorer(model, ctx)         cross-encoder: pairs to logits
    open_encoder(model, ctx)        bi-encoder: texts to vectors of length 1
    open_token_encoder(model, ctx)  late interaction: texts to one vector a token
    open_sparse_encoder(model, ctx) SPLADE: texts to weights of words
    availability(model)             ready, downloadable or missing, and why: cheap, no network
    model_digest(model)             digest of files and conversion, without loading
    loaded_models()                 what is in memory now

Opening fetches the files when they are not here, and loads them. An opened model stays valid when
it is unloaded to make room; the next call loads it again.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_lab.models.local_model import Encoder, Scorer, SparseEncoder, TokenEncoder
    from rerank_lab.models.locate.resolve import availability, fetch
    from rerank_lab.models.opening import (
        model_digest,
        open_encoder,
        open_scorer,
        open_sparse_encoder,
        open_token_encoder,
    )
    from rerank_lab.models.runtime.device import DEVICES, Device
    from rerank_lab.models.runtime.engine import Sparse
    from rerank_lab.models.runtime.memory import loaded_models
    from rerank_lab.models.runtime.request import (
        BACKENDS,
        SCORER_BACKENDS,
        Backend,
        Kind,
        ModelOptions,
        Usage,
    )

_NAMES = {
    "local_model": (
        "Encoder",
        "Scorer",
        "SparseEncoder",
        "TokenEncoder",
    ),
    "locate.resolve": (
        "availability",
        "fetch",
    ),
    "opening": (
        "model_digest",
        "open_encoder",
        "open_scorer",
        "open_sparse_encoder",
        "open_token_encoder",
    ),
    "runtime.device": (
        "DEVICES",
        "Device",
    ),
    "runtime.engine": ("Sparse",),
    "runtime.memory": ("loaded_models",),
    "runtime.request": (
        "BACKENDS",
        "SCORER_BACKENDS",
        "Backend",
        "Kind",
        "ModelOptions",
        "Usage",
    ),
}
"""Names by the module of this package that defines them, which is imported when one is used."""
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = [
    "BACKENDS",
    "DEVICES",
    "SCORER_BACKENDS",
    "Backend",
    "Device",
    "Encoder",
    "Kind",
    "ModelOptions",
    "Scorer",
    "Sparse",
    "SparseEncoder",
    "TokenEncoder",
    "Usage",
    "availability",
    "fetch",
    "loaded_models",
    "model_digest",
    "open_encoder",
    "open_scorer",
    "open_sparse_encoder",
    "open_token_encoder",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"rerank_lab.models.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""How local models are found and run: one place for every retriever and reranker that needs one.

    open_scorer(model, ctx)         cross-encoder: pairs to logits
    open_encoder(model, ctx)        bi-encoder: texts to vectors of length 1
    open_token_encoder(model, ctx)  late interaction: texts to one vector a token
    availability(model)             ready, downloadable or missing, and why: cheap, no network
    model_digest(model)             digest of files and recipe, without loading
    loaded_models()                 what is in memory now

Opening fetches the files when they are not here, and loads them. A handle stays valid when its
model is unloaded to make room; the next call loads it again.
"""

from __future__ import annotations

from typing import TypeVar

from rerank_lab.core.context import Context
from rerank_lab.models.convert.version import RECIPE
from rerank_lab.models.execution_plan import Task, make_plan
from rerank_lab.models.handles import Encoder, Handle, Scorer, TokenEncoder
from rerank_lab.models.locate.resolve import Availability, availability, fetch, locate
from rerank_lab.models.runtime.device import DEVICES, Device
from rerank_lab.models.runtime.memory import LoadedModel, Usage, loaded_models
from rerank_lab.models.runtime.request import BACKENDS, Backend, Kind, Options

__all__ = [
    "BACKENDS",
    "DEVICES",
    "Availability",
    "Backend",
    "Device",
    "Encoder",
    "Kind",
    "LoadedModel",
    "Options",
    "Scorer",
    "TokenEncoder",
    "Usage",
    "availability",
    "fetch",
    "loaded_models",
    "model_digest",
    "open_encoder",
    "open_scorer",
    "open_token_encoder",
]

H = TypeVar("H", bound=Handle)


def open_scorer(model: str, ctx: Context, options: Options | None = None) -> Scorer:
    """A cross-encoder, loaded. Raises ModelUnavailable with what to do."""
    return _open(Scorer, "score", model, ctx, options or Options())


def open_encoder(
    model: str, ctx: Context, device: str = "auto", options: Options | None = None
) -> Encoder:
    """A bi-encoder, loaded. Raises ModelUnavailable with what to do."""
    return _open(Encoder, "embed", model, ctx, options or Options(device=device))


def open_token_encoder(
    model: str, ctx: Context, device: str = "auto", options: Options | None = None
) -> TokenEncoder:
    """A late-interaction encoder, loaded. Raises ModelUnavailable with what to do."""
    return _open(TokenEncoder, "tokens", model, ctx, options or Options(device=device))


def model_digest(model: str) -> str:
    """Digest of a model's files and of how they are run here, without loading it.

    Fine for cache keys: the same before and after loading, and on every machine. Raises
    ModelUnavailable when the files are not here.
    """
    return f"{locate(model).digest}:{RECIPE}"


def _open(kind: type[H], task: Task, model: str, ctx: Context, options: Options) -> H:
    located = fetch(model, ctx)
    handle = kind(make_plan(located, task, options, ctx), options)
    handle.load(ctx)
    return handle

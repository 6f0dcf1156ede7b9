"""Opening a local model: its files fetched and checked, and it loaded."""

from __future__ import annotations

from typing import TypeVar

from rerank_lab.core.context import Context
from rerank_lab.models.convert.conversion import (
    CONVERSION_VERSION,
    VECTORS_FORM,
    VECTORS_VERSION,
    converted_folder,
    read_conversion,
)
from rerank_lab.models.local_model import Encoder, Scorer, SparseEncoder, TokenEncoder
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch, locate
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.models.runtime.device import int8_form
from rerank_lab.models.runtime.request import ModelOptions

M = TypeVar("M", Scorer, Encoder, TokenEncoder, SparseEncoder)


def open_scorer(model: str, ctx: Context, options: ModelOptions | None = None) -> Scorer:
    """A cross-encoder, loaded. Raises ModelUnavailable with what to do."""
    from rerank_lab.models.execution_plan import plan_scorer

    options = options or ModelOptions()
    located = _fetch_sound(model, ctx)
    return _loaded(Scorer(plan_scorer(located, options, ctx), options), ctx)


def open_encoder(
    model: str, ctx: Context, device: str = "auto", options: ModelOptions | None = None
) -> Encoder:
    """A bi-encoder, loaded. Raises ModelUnavailable with what to do."""
    from rerank_lab.models.execution_plan import plan_encoder

    options = options or ModelOptions(device=device)
    located = _fetch_sound(model, ctx, VECTORS_FORM)
    return _loaded(Encoder(plan_encoder(located, options, ctx), options), ctx)


def open_token_encoder(
    model: str, ctx: Context, device: str = "auto", options: ModelOptions | None = None
) -> TokenEncoder:
    """A late-interaction encoder, loaded. Raises ModelUnavailable with what to do."""
    from rerank_lab.models.execution_plan import plan_token_encoder

    options = options or ModelOptions(device=device)
    located = _fetch_sound(model, ctx, VECTORS_FORM)
    return _loaded(TokenEncoder(plan_token_encoder(located, options, ctx), options), ctx)


def open_sparse_encoder(
    model: str, ctx: Context, options: ModelOptions | None = None
) -> SparseEncoder:
    """A learned sparse encoder, loaded. Raises ModelUnavailable with what to do."""
    from rerank_lab.models.execution_plan import plan_sparse_encoder

    options = options or ModelOptions()
    located = _fetch_sound(model, ctx, VECTORS_FORM)
    return _loaded(SparseEncoder(plan_sparse_encoder(located, options, ctx), options), ctx)


def model_digest(model: str, vectors: bool = False) -> str:
    """Digest of a model's files and of how they are run here, without loading it.

    Fine for cache keys: the same before and after loading, and on every processor that adds up
    int8 products in 32 bits; others round weights to 7 bits. Raises ModelUnavailable when the files
    are not here.

    Args:
        model: Catalogue name, folder or hub id.
        vectors: Whether its vectors are kept. They stay valid while a conversion changes scores.
    """
    version = VECTORS_VERSION if vectors else CONVERSION_VERSION
    return f"{locate(model).digest}:{version}{int8_form()}"


def _fetch_sound(model: str, ctx: Context, form: str = "") -> LocatedModel:
    located = fetch(model, ctx)
    if located.has_safetensors:
        converted = read_conversion(converted_folder(located, form)) is not None
        require_sound(located, converted=converted)
    return located


def _loaded(opened: M, ctx: Context) -> M:
    opened.load(ctx)
    return opened

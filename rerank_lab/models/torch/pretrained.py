"""Loading by transformers alone: no remote code, safetensors only, nothing newly initialised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.locate.resolve import Located


def load_pretrained(located: Located, kind: str, dtype: str, **more: Any) -> tuple[Any, Any, Any]:
    """(tokenizer, model, transformers' report of the weights) by the transformers class `kind`.

    `more` goes to the model's loader. Raises ModelUnavailable when the folder cannot be loaded.
    """
    import torch
    import transformers

    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(located.folder), **safe)
        model, report = getattr(transformers, kind).from_pretrained(
            str(located.folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            **safe,
            **more,
        )
    except (OSError, ValueError, ImportError, KeyError, RuntimeError) as error:
        raise ModelUnavailable(
            f"{located.name} cannot be loaded: {type(error).__name__}: {error}",
            hint="Check that the folder is a complete transformers model with its tokenizer.",
            details=repr(error),
        ) from error
    return tokenizer, model, report


def require_all_weights(located: Located, report: Any, filled: Iterable[str] = ()) -> None:
    """Raises ModelUnavailable when weights are missing that nothing else has `filled`."""
    missing = sorted(set(report["missing_keys"]) - set(filled))
    if missing:
        raise ModelUnavailable(
            f"The weights of {located.name} lack {', '.join(missing[:3])}: "
            "they would be newly initialised, and its order random.",
            hint="Choose a model that was trained as a reranker, or name its adapter.",
        )


def control_tokens(tokenizer: Any) -> list[str]:
    """The words of a tokenizer that steer the model, which no document may hold."""
    return [token for token in tokenizer.all_special_tokens if token.strip()]


def without(text: str, tokens: list[str]) -> str:
    """A text in which each of `tokens` is a space: it cannot end its turn and answer itself."""
    for token in tokens:
        text = text.replace(token, " ")
    return text

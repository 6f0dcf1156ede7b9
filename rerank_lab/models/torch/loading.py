"""The one place where a model folder meets transformers and sentence-transformers.

No code of the folder is run and nobody is asked whether it may be; only safetensors are read, only
files that are here, and nothing is newly initialised without a word.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rerank_lab.core.errors import LabError, ModelUnavailable
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.soundness import require_sound

_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def load_config(located: LocatedModel) -> Any:
    """The transformers configuration. Raises ModelUnavailable."""
    import transformers

    with _loading(located):
        return transformers.AutoConfig.from_pretrained(str(located.folder), **_SAFE)


def load_tokenizer(located: LocatedModel, **more: Any) -> Any:
    """The transformers tokenizer. Raises ModelUnavailable."""
    import transformers

    with _loading(located):
        return transformers.AutoTokenizer.from_pretrained(str(located.folder), **_SAFE, **more)


def load_model(
    located: LocatedModel, transformers_class: str, dtype: str, **more: Any
) -> tuple[Any, Any]:
    """A model and transformers' report of its weights, by the name of a transformers class.

    `more` goes to the loader. Raises ModelUnavailable when the folder cannot be loaded.
    """
    import torch
    import transformers

    with _loading(located):
        model, report = getattr(transformers, transformers_class).from_pretrained(
            str(located.folder),
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            output_loading_info=True,
            **_SAFE,
            **more,
        )
    return model, report


def load_sentence_transformer(
    located: LocatedModel, class_name: str, device: str, dtype: str
) -> Any:
    """A model by the name of a sentence-transformers class. Raises ModelUnavailable."""
    import torch

    kind = getattr(importlib.import_module("sentence_transformers"), class_name)
    with _loading(located):
        return kind(
            str(located.folder),
            device=device,
            model_kwargs={"dtype": getattr(torch, dtype), "use_safetensors": True},
            **_SAFE,
        )


def require_all_weights(located: LocatedModel, report: Any, filled: Iterable[str] = ()) -> None:
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


@contextmanager
def _loading(located: LocatedModel) -> Iterator[None]:
    """Refuses a folder that is not sound, and says of any other failure which folder it was."""
    from transformers.utils import logging

    require_sound(located)
    logging.disable_progress_bar()
    try:
        yield
    except LabError:
        raise
    except Exception as error:  # whatever a library says of a folder, its reader needs the folder
        raise ModelUnavailable(
            f"{located.name} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"Check that {located.folder} is a complete model with its tokenizer, or fetch it "
            "again.",
            details=repr(error),
        ) from error

"""Fetching a model from the hub: size first, progress, cancel, and only files safe to read.

Only reached when somebody asks to load a model that is not on this machine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError, ModelUnavailable

_TEXT = (".json", ".txt", ".model")
_SKIPPED_FOLDERS = ("onnx", "openvino", "coreml", "eval", "results")


def wanted_files(files: Sequence[str]) -> list[str]:
    """Of a repository's files, those that a model needs: safetensors, else ONNX; texts beside them.

    Raises ModelUnavailable when the weights are pickled only.
    """
    texts = [f for f in files if f.endswith(_TEXT) and f.split("/")[0] not in _SKIPPED_FOLDERS]
    weights = [f for f in files if f.endswith(".safetensors")]
    weights = [f for f in weights if f.split("/")[0] not in _SKIPPED_FOLDERS]
    if not weights:
        weights = [f for f in files if f in ("model.onnx", "onnx/model.onnx")]
    if not weights:
        raise ModelUnavailable(
            "The repository has no safetensors or ONNX weights; pickled ones are not read.",
            hint="Choose another revision or model, or convert it to safetensors.",
        )
    return texts + weights


def download(hub: str, ctx: Context, usable: Sequence[str]) -> None:
    """Fetch `hub` into the hub's cache. Raises ModelUnavailable without network or repository."""
    from huggingface_hub import HfApi, hf_hub_download

    try:
        ctx.report(f"asking the hub for {hub}")
        repository = HfApi().model_info(hub, files_metadata=True)
        sizes = {f.rfilename: int(f.size or 0) for f in repository.siblings or ()}
        files = wanted_files(list(sizes))
        total, done = sum(sizes[file] for file in files), 0
        ctx.report(f"downloading {hub} ({total / 1e6:,.0f} MB)", 0, total)
        for file in sorted(files, key=lambda name: sizes[name]):
            ctx.checkpoint()
            bar = _bar(ctx, f"downloading {hub} ({total / 1e6:,.0f} MB)", done, total)
            hf_hub_download(hub, file, tqdm_class=bar)
            done += sizes[file]
    except LabError:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"The model {hub} cannot be fetched: {_reason(error)}",
            hint=f"Usable now: {', '.join(usable) or 'none'}. A local folder works too.",
            details=repr(error),
        ) from error


def _bar(ctx: Context, message: str, done: int, total: int) -> Any:
    """A progress bar for the hub's client that reports to the context and stops when cancelled."""
    tqdm: Any = importlib.import_module("tqdm.auto").tqdm
    report: Callable[[int], None] = lambda n: ctx.report(message, done + n, total)  # noqa: E731

    class ContextBar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **(kwargs | {"disable": True}))
            self._seen = 0

        def update(self, n: float | None = 1) -> bool | None:
            ctx.checkpoint()
            self._seen += int(n or 0)
            report(self._seen)
            return None

    return ContextBar


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    if kind in ("RepositoryNotFoundError", "GatedRepoError"):
        return "the hub has no such public model, or it needs an accepted licence and a token."
    if kind == "RevisionNotFoundError":
        return "the hub has no such revision."
    return "the hub cannot be reached from here."

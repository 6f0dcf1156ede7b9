"""What one call hands to an engine, and how a caller wants a model to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from rerank_lab.core.context import Context
from rerank_lab.models.runtime.memory import Usage

Kind = Literal["query", "passage"]
Backend = Literal["auto", "onnx", "torch"]
BACKENDS: tuple[Backend, ...] = ("auto", "onnx", "torch")


@dataclass(frozen=True, slots=True)
class Options:
    """`max_length` and `batch_tokens` in tokens, 0 for the model's own and the device's own."""

    device: str = "auto"
    backend: str = "auto"
    max_length: int = 0
    batch_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `max_length` is settled; `usage` is filled in by the engine."""

    ctx: Context
    usage: Usage
    max_length: int
    batch_tokens: int = 0

    def count(self, lengths: list[int], cut: list[bool]) -> None:
        """Note the tokens of this call's texts, and which texts were cut."""
        self.usage.tokens += sum(lengths)
        self.usage.truncated |= {index for index, was_cut in enumerate(cut) if was_cut}


class StopOnCancel:
    """A transformers stopping criterion: a cancel or deadline ends a generation between tokens."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        self.ctx.checkpoint()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

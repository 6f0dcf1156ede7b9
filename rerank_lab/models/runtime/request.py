"""What one call hands to an engine, and how a caller wants a model to run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from rerank_lab.core.context import Context

Kind = Literal["query", "passage"]
Backend = Literal["auto", "onnx", "openvino", "torch"]
BACKENDS: tuple[Backend, ...] = ("auto", "onnx", "torch")
SCORER_BACKENDS: tuple[Backend, ...] = ("auto", "onnx", "openvino", "torch")
"""Cross-encoders run by OpenVINO as well, unquantised."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """`max_length` and `batch_tokens` in tokens, 0 for the model's own and the device's own."""

    device: str = "auto"
    backend: str = "auto"
    max_length: int = 0
    batch_tokens: int = 0


@dataclass(slots=True)
class Usage:
    """What one call took, filled in while it runs.

    `tokenise_s` is a part of the computing. `lengths` are the tokens of each input of one engine
    call. `truncated` holds indexes into its inputs, `cut` (input, document) where an input shows
    several.
    """

    queue_s: float = 0.0
    load_s: float = 0.0
    tokenise_s: float = 0.0
    tokens: int = 0
    lengths: list[int] = field(default_factory=list)
    truncated: set[int] = field(default_factory=set)
    cut: set[tuple[int, int]] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    backend: str = ""

    def add(self, other: Usage) -> None:
        """Add another call's counts to these; lengths are of one call and stay."""
        self.queue_s += other.queue_s
        self.load_s += other.load_s
        self.tokenise_s += other.tokenise_s
        self.tokens += other.tokens
        self.truncated |= other.truncated
        self.cut |= other.cut
        self.warnings += other.warnings
        self.backend = other.backend


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """One call of an engine. `max_length` is settled; `usage` is filled in by the engine."""

    ctx: Context
    usage: Usage
    max_length: int
    batch_tokens: int = 0

    def count(self, lengths: list[int], cut: list[bool]) -> None:
        """Note the tokens of this call's texts, and which texts were cut."""
        self.usage.tokens += sum(lengths)
        self.usage.lengths += lengths
        self.usage.truncated |= {index for index, was_cut in enumerate(cut) if was_cut}

    @contextmanager
    def tokenising(self) -> Iterator[None]:
        """Count the seconds inside as spent on turning text into tokens."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.usage.tokenise_s += time.perf_counter() - start

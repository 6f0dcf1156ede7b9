"""What a model reads of a document, as stretches of its content."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.types import Span


@dataclass(frozen=True, slots=True)
class InputCoverage:
    """What a model read of a document's `content`, as [start, end) in characters, in order.

    `passages` are those that were scored one by one, `decided` the one whose score is the
    document's (None when that is not known, or all of them decided). `estimated` when the model's
    tokens can only be guessed at.
    """

    spans: tuple[Span, ...]
    length: int
    passages: tuple[Span, ...] = ()
    decided: int | None = None
    estimated: bool = False

    @property
    def whole(self) -> bool:
        """Whether no character was left out."""
        return self.spans == ((0, self.length),) or not self.length

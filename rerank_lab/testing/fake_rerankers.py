"""Fake rerankers to test around: fixed scores, slow, failing, malformed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from rerank_lab.components.base import Info, Param
from rerank_lab.core.errors import BackendError
from rerank_lab.core.spec import Literal
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, PointwiseReranker


def _info(name: str, summary: str, *params: Param) -> Info:
    return Info(name, "reranker", "test", summary, "logit", (TOP, *params))


class FakeReranker(PointwiseReranker):
    """Gives the scores it was made with, by text; a text that it does not know gets 0."""

    info = _info("fake", "Fixed scores.")

    def __init__(self, scores: Mapping[str, float] | None = None, **options: Literal) -> None:
        super().__init__(**options)
        self.scores = dict(scores or {})
        self.calls: list[tuple[str, tuple[str, ...]]] = []

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """The fixed score of each text."""
        self.calls.append((query, tuple(texts)))
        return [self.scores.get(text, 0.0) for text in texts]


class SlowReranker(PointwiseReranker):
    """Takes `seconds` a text and listens for cancel in between; longer texts first."""

    info = _info("slow", "Takes its time.", Param("seconds", 0.01, "Seconds a text.", low=0.0))

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """The length of each text, after a pause for each."""
        for _ in texts:
            work.checkpoint()
            time.sleep(float(self.options["seconds"]))
        return [float(len(text)) for text in texts]


class FailingReranker(PointwiseReranker):
    """Fails the first `times` calls with an error that may pass (`retryable`), then works."""

    info = _info(
        "failing",
        "Fails.",
        Param("times", 1_000_000, "Calls that fail.", low=0),
        Param("retryable", False, "Whether again may help."),
    )

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        self.failed = 0

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """The length of each text, once enough calls have failed."""
        if self.failed < int(self.options["times"]):
            self.failed += 1
            raise BackendError(
                "The fake backend is down.",
                hint="Try again.",
                retryable=bool(self.options["retryable"]),
            )
        return [float(len(text)) for text in texts]


class MalformedReranker(PointwiseReranker):
    """Returns one score too few."""

    info = _info("malformed", "Too few scores.")

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """One score too few."""
        return [0.0] * (len(texts) - 1)


class NonFiniteReranker(PointwiseReranker):
    """Returns scores that are not numbers."""

    info = _info("non-finite", "NaN and infinities.")

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """NaN and infinities."""
        odd = (math.nan, math.inf, -math.inf)
        return [odd[i % len(odd)] for i in range(len(texts))]

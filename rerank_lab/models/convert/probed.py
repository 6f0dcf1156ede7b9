"""A converted encoder of several vectors a text, held to the model by the scores of the probes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.models.convert.conversion import Conversion
from rerank_lab.models.convert.precision import Scores, int8_or_full
from rerank_lab.models.convert.samples import feed_of
from rerank_lab.models.onnx.encoders import TextRules
from rerank_lab.models.probes import probe_passages
from rerank_lab.models.runtime.request import InferenceRequest, Usage
from rerank_lab.models.runtime.tokenizer import FastTokenizer

MIN_TAU = 0.96
MAX_DIFFERENCE = 0.05
"""Largest difference of one score by a full-precision graph."""


class _Engine(Protocol):
    def close(self) -> None: ...


EngineT = TypeVar("EngineT")
GraphT = TypeVar("GraphT", bound=_Engine)


def probed(
    work: Path,
    rules: TextRules,
    limit: int,
    ctx: Context,
    scores: Callable[[EngineT | GraphT, list[str], list[str], InferenceRequest], Scores],
    exact: EngineT,
    opened: Callable[[Path], GraphT],
) -> Conversion:
    """int8 where it orders the probes as the model itself does, else the full-precision graph.

    Args:
        work: The folder with the graph, its tokenizer and its rules.
        rules: What is done with texts before the graph.
        limit: Tokens of a text.
        ctx: Cancel and deadline.
        scores: Of each question against each passage, by an engine.
        exact: The model itself.
        opened: An engine of the graph in a file.
    """
    questions, passages = probe_passages()

    def by(engine: EngineT | GraphT) -> Scores:
        request = InferenceRequest(ctx, Usage(), limit)
        return scores(engine, questions, passages, request)

    def of_graph(path: Path) -> Scores:
        engine = opened(path)
        try:
            return by(engine)
        finally:
            engine.close()

    tokens = FastTokenizer(work / "tokenizer.json")
    texts = [*rules.prompted(questions, "query"), *rules.prompted(passages[::3], "passage")]
    samples = [feed_of(text) for text in tokens.singles(texts, limit)]
    theirs = by(exact)
    ctx.checkpoint()
    return int8_or_full(work, samples, of_graph, theirs, ctx, MIN_TAU, MAX_DIFFERENCE)

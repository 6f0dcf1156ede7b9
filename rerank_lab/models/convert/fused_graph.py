"""A graph that came as a file, rewritten to run faster: once, compared with it, and kept.

Its attention becomes one operator, and its last layer is computed for the first token only where
nothing else is read.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import StorageError
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import (
    VECTORS_FORM,
    Conversion,
    convert_once,
    converted_folder,
)
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.session import OnnxEngine
from rerank_lab.models.probes import PROBES

MIN_AGREEMENT = 0.995
"""Least correlation between the outputs of both graphs; int8 noise alone stays above 0.999."""

_LONG = 512
"""Tokens of the longest probe, where the model reads as many."""


@dataclass(frozen=True, slots=True)
class RewrittenGraph:
    """The graph to run. `first_token`: its last layer is computed for the first token only."""

    path: Path
    first_token: bool = False


def fused_graph(
    located: LocatedModel, graph: Path, tokenizer: Path, ctx: Context, vectors: bool = False
) -> RewrittenGraph:
    """The graph with fused attention and a narrow last layer, made and checked once and then kept.

    The graph itself where nothing can be rewritten, or where the outcome differs.

    Args:
        located: The model that the graph came with.
        graph: Its file.
        tokenizer: The model's tokenizer.json.
        ctx: Cancel, deadline and progress.
        vectors: Whether the caller reads the first token's hidden state, and nothing else.
    """
    longest = min(located.max_length, _LONG)
    form = f"cls-{VECTORS_FORM}" if vectors else ""

    def rewrite(work: Path) -> Conversion:
        return _rewrite_into(work, graph, tokenizer, longest, vectors, ctx)

    try:
        conversion = convert_once(located, ctx, rewrite, form)
    except (
        OSError,
        StorageError,
    ):  # a data folder that cannot be written to costs speed, not the answer
        return RewrittenGraph(graph)
    if conversion.precision != "fused":
        return RewrittenGraph(graph)
    return RewrittenGraph(converted_folder(located, form) / graph.name, conversion.first_token)


def _rewrite_into(
    work: Path,
    graph: Path,
    tokenizer: Path,
    longest: int,
    vectors: bool,
    ctx: Context,
) -> Conversion:
    rewritten = Path(shutil.copy(graph, work / graph.name))
    layers = fuse_attention(rewritten)
    first_token = keep_first_token(rewritten, hidden_states=vectors) > 0
    if not layers and not first_token:
        rewritten.unlink()
        return Conversion("none", 0.0, 0.0, 0.0, 0, "it holds no attention of the known form")
    probes = _probes()
    agreement, difference = _compared(rewritten, graph, tokenizer, probes, longest, vectors, ctx)
    if agreement >= MIN_AGREEMENT:
        return Conversion(
            "fused", agreement, difference, agreement, len(probes), first_token=first_token
        )
    rewritten.unlink()
    reason = f"the rewritten graph gives other results, correlation {agreement:.3f}"
    return Conversion("none", agreement, difference, agreement, len(probes), reason)


def _probes() -> list[tuple[str, str]]:
    """Short pairs, and a long one for what only shows at a distance, such as a window."""
    pairs = [(probe.query, text) for probe in PROBES for text in (probe.answer, probe.decoy)]
    return [*pairs, (PROBES[0].query, " ".join(text for _, text in pairs))]


def _compared(
    ours: Path,
    theirs: Path,
    tokenizer: Path,
    probes: list[tuple[str, str]],
    longest: int,
    vectors: bool,
    ctx: Context,
) -> tuple[float, float]:
    """Correlation and largest difference of both graphs' first outputs, of vectors the first."""
    read = 1 if vectors else None
    outputs = []
    for graph in (ours, theirs):
        engine = OnnxEngine(graph, tokenizer, "probe")
        try:
            inputs = [engine.tokens.pairs(query, [text], longest)[0] for query, text in probes]
            values = engine.run(inputs, ctx, lambda value, _: np.ravel(value[:read]))
        finally:
            engine.close()
        outputs.append(np.concatenate(values).astype(np.float64))
    correlation = float(np.asarray(np.corrcoef(outputs))[0, 1])
    return correlation, float(np.abs(outputs[0] - outputs[1]).max())

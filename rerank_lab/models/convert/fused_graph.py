"""A graph that came as a file, with its attention fused: made once, compared with it, and kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import StorageError
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import Conversion, convert_once, converted_folder
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.session import OnnxEngine
from rerank_lab.models.probes import PROBES

MIN_AGREEMENT = 0.995
"""Least correlation between the outputs of both graphs; int8 noise alone stays above 0.999."""

_LONG = 512
"""Tokens of the longest probe, where the model reads as many."""


def fused_graph(located: LocatedModel, graph: Path, tokenizer: Path, ctx: Context) -> Path:
    """The graph with fused attention, made and checked once and then kept.

    The graph itself where nothing can be fused, or where the outcome differs.
    """
    longest = min(located.max_length, _LONG)
    try:
        conversion = convert_once(
            located, ctx, lambda work: _fuse_into(work, graph, tokenizer, longest, ctx)
        )
    except (
        OSError,
        StorageError,
    ):  # a data folder that cannot be written to costs speed, not the answer
        return graph
    return converted_folder(located) / graph.name if conversion.precision == "fused" else graph


def _fuse_into(work: Path, graph: Path, tokenizer: Path, longest: int, ctx: Context) -> Conversion:
    fused = Path(shutil.copy(graph, work / graph.name))
    if not fuse_attention(fused):
        fused.unlink()
        return Conversion("none", 0.0, 0.0, 0.0, 0, "it holds no attention of the known form")
    probes = _probes()
    agreement, difference = _compared(fused, graph, tokenizer, probes, longest, ctx)
    if agreement >= MIN_AGREEMENT:
        return Conversion("fused", agreement, difference, agreement, len(probes))
    fused.unlink()
    reason = f"fused attention gives other results, correlation {agreement:.3f}"
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
    ctx: Context,
) -> tuple[float, float]:
    """Correlation and largest difference of both graphs' first outputs."""
    outputs = []
    for graph in (ours, theirs):
        engine = OnnxEngine(graph, tokenizer, "probe")
        try:
            inputs = [engine.tokens.pairs(query, [text], longest)[0] for query, text in probes]
            values = engine.run(inputs, ctx, lambda value, _: np.ravel(value))
        finally:
            engine.close()
        outputs.append(np.concatenate(values).astype(np.float64))
    correlation = float(np.asarray(np.corrcoef(outputs))[0, 1])
    return correlation, float(np.abs(outputs[0] - outputs[1]).max())

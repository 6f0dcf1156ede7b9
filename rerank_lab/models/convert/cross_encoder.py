"""A full-precision cross-encoder to an int8 ONNX graph, once, and only if its order survives.

Attention becomes one operator, and the last layer is computed for the token that the head reads;
then products become int8 (`quantisation`). The result is compared with full precision on probe
texts. When Kendall's tau falls below `MIN_TAU`, the full-precision graph is kept instead, and when
even that differs, torch runs the model.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import Conversion, Precision, convert_once
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.convert.precision import FULL, compare, int8_or_full
from rerank_lab.models.convert.samples import feed_of
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.openvino_session import precision
from rerank_lab.models.onnx.session import Runtime
from rerank_lab.models.onnx.tasks import OnnxScorer
from rerank_lab.models.probes import probe_texts
from rerank_lab.models.relevance_head import Head
from rerank_lab.models.runtime.request import InferenceRequest, Usage
from rerank_lab.models.runtime.tokenizer import FastTokenizer

MIN_TAU = 0.95
OPENVINO_FORM = "openvino"
_MAX_BYTES = 1_400_000_000
"""An ONNX file holds less than 2 GB; larger models stay with torch."""


def convertible(located: LocatedModel) -> bool:
    """Whether conversion can be tried: an encoder with a classification head, not too large."""
    fits = located.weights_size <= _MAX_BYTES
    has_tokenizer = (located.folder / "tokenizer.json").is_file()
    is_classifier = located.architecture.endswith("ForSequenceClassification")
    return is_classifier and fits and has_tokenizer and find_spec("onnx") is not None


def convert(located: LocatedModel, head: Head, ctx: Context) -> Conversion:
    """Convert a cross-encoder, verify and keep. Never raises for one that cannot be converted.

    Raises Cancelled or DeadlineExceeded between steps.
    """
    return convert_once(located, ctx, lambda work: _convert_into(work, located, head, ctx))


def _convert_into(work: Path, located: LocatedModel, head: Head, ctx: Context) -> Conversion:
    probes = probe_texts()
    tokenizer = shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json")
    source = torch_export.load_source(located, "AutoModelForSequenceClassification")
    exact = [
        [_score(source.logits(query, text), head) for text in texts] for query, texts in probes
    ]
    ctx.checkpoint()
    full = work / FULL
    torch_export.export(source, full)
    fuse_attention(full)
    first_token = keep_first_token(full) > 0
    ctx.checkpoint()
    limit = located.max_length
    tokens = FastTokenizer(Path(tokenizer))
    samples = [
        feed_of(pair) for query, texts in probes for pair in tokens.pairs(query, texts[::3], limit)
    ]
    return int8_or_full(
        work,
        samples,
        lambda graph: _onnx_scores(graph, Path(tokenizer), head, probes, limit, ctx),
        exact,
        ctx,
        MIN_TAU,
        first_token=first_token,
    )


def convert_unquantised(located: LocatedModel, head: Head, ctx: Context) -> Conversion:
    """The graph for OpenVINO, in full precision, verified in the precision that it computes in.

    Raises Cancelled or DeadlineExceeded between steps.
    """
    return convert_once(
        located, ctx, lambda work: _unquantised_into(work, located, head, ctx), OPENVINO_FORM
    )


def _unquantised_into(work: Path, located: LocatedModel, head: Head, ctx: Context) -> Conversion:
    probes = probe_texts()
    tokenizer = Path(shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json"))
    source = torch_export.load_source(located, "AutoModelForSequenceClassification")
    exact = [
        [_score(source.logits(query, text), head) for text in texts] for query, texts in probes
    ]
    ctx.checkpoint()
    full = work / FULL
    torch_export.export(source, full)
    first_token = keep_first_token(full) > 0
    ctx.checkpoint()
    scores = _onnx_scores(full, tokenizer, head, probes, located.max_length, ctx, "openvino")
    tau, difference = compare(scores, exact)
    count = sum(len(row) for row in exact)
    if tau >= MIN_TAU:
        computed: Precision = "bf16" if precision() == "bf16" else "fp32"
        return Conversion(computed, tau, difference, 0.0, count, first_token=first_token)
    full.unlink()
    reason = f"OpenVINO's order differs from full precision, Kendall tau {tau:.3f}"
    return Conversion("none", tau, difference, 0.0, count, reason)


def _score(logits: Sequence[float], head: Head) -> float:
    score = logits[head.relevant]
    return score - logits[1 - head.relevant] if head.labels == 2 else score


def _onnx_scores(
    graph: Path,
    tokenizer: Path,
    head: Head,
    probes: list[tuple[str, list[str]]],
    max_length: int,
    ctx: Context,
    runtime: Runtime = "onnxruntime",
) -> list[list[float]]:
    engine = OnnxScorer(graph, tokenizer, "probe", head, runtime)
    try:
        return [engine.score(q, t, InferenceRequest(ctx, Usage(), max_length)) for q, t in probes]
    finally:
        engine.close()

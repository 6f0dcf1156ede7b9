"""An embedding model to an int8 ONNX graph, once, and only if its order survives.

The model itself and the graph embed questions and passages of the probes; Kendall's tau compares
the orders of all passages for each question. Below `MIN_TAU` the full-precision graph is kept, and
where even that differs, torch runs the model. Nothing imports torch afterwards.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.text import load_json
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import VECTORS_FORM, Conversion, convert_once
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.convert.precision import FULL, Scores, int8_or_full
from rerank_lab.models.convert.samples import feed_of
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.tasks import OnnxEmbedder
from rerank_lab.models.probes import probe_passages
from rerank_lab.models.runtime.engine import TextEngine
from rerank_lab.models.runtime.request import InferenceRequest, Usage
from rerank_lab.models.runtime.tokenizer import FastTokenizer
from rerank_lab.models.torch.sentence_transformer import load_embedder

MIN_TAU = 0.96
"""Least agreement of an int8 graph: an index is searched with what it was built with."""
MAX_DIFFERENCE = 1e-3
"""Largest difference of a cosine by a full-precision graph."""

_MAX_BYTES = 1_400_000_000
_PLAIN = ("Transformer", "Pooling", "Normalize")


def convertible(located: LocatedModel, pooling: str) -> bool:
    """Whether it is an encoder with cls or mean pooling and nothing else, not too large."""
    try:
        modules = load_json((located.folder / "modules.json").read_text("utf-8"))
        kinds = tuple(str(module["type"]).rsplit(".", 1)[-1] for module in modules)
    except (OSError, ValueError, TypeError, KeyError):
        return False
    plain = kinds in (_PLAIN, _PLAIN[:2]) and pooling in ("cls", "mean")
    special = located.json("sentence_bert_config.json").get("do_lower_case")
    left_out = located.json("1_Pooling/config.json").get("include_prompt") is False
    fits = located.weights_size <= _MAX_BYTES and (located.folder / "tokenizer.json").is_file()
    return plain and fits and not special and not left_out and find_spec("onnx") is not None


def convert_encoder(located: LocatedModel, pooling: str, ctx: Context) -> Conversion:
    """Convert, verify and keep. Never raises for a model that cannot be converted."""
    return convert_once(
        located, ctx, lambda work: _convert_into(work, located, pooling, ctx), VECTORS_FORM
    )


def _convert_into(work: Path, located: LocatedModel, pooling: str, ctx: Context) -> Conversion:
    graph = work / FULL
    tokenizer = Path(shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json"))
    questions, passages = probe_passages()
    source = torch_export.load_source(located, "AutoModel")
    torch_export.export(source, graph, output="last_hidden_state")
    fuse_attention(graph)
    first_token = pooling == "cls" and keep_first_token(graph, hidden_states=True) > 0
    ctx.checkpoint()
    limit = located.max_length

    def cosines(engine: TextEngine) -> Scores:
        request = InferenceRequest(ctx, Usage(), limit)
        rows = (
            engine.embed(questions, "query", request) @ engine.embed(passages, "passage", request).T
        )
        return [[float(cosine) for cosine in row] for row in rows]

    def of_graph(path: Path) -> Scores:
        engine = OnnxEmbedder(path, tokenizer, "probe", pooling, ("", ""))
        try:
            return cosines(engine)
        finally:
            engine.close()

    tokens = FastTokenizer(tokenizer)
    samples = [feed_of(text) for text in tokens.singles([*questions, *passages[::3]], limit)]
    exact = cosines(load_embedder(located, "cpu", "float32", ("", "")))
    ctx.checkpoint()
    return int8_or_full(
        work, samples, of_graph, exact, ctx, MIN_TAU, MAX_DIFFERENCE, first_token=first_token
    )

"""An embedding model to a full-precision ONNX graph, once, and only if its vectors stay the same.

Not quantised: vectors go into indexes that are kept, and full precision already runs twice as fast
here as in padded batches, without the seconds that importing torch takes.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.text import load_json
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import Conversion, convert_once
from rerank_lab.models.convert.first_token import keep_first_token
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.tasks import OnnxEmbedder
from rerank_lab.models.probes import PROBES
from rerank_lab.models.runtime.request import InferenceRequest, Usage
from rerank_lab.models.torch.sentence_transformer import load_embedder

MAX_DIFFERENCE = 1e-3
"""Largest difference of one vector component; vectors have length 1."""

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
    return convert_once(located, ctx, lambda work: _convert_into(work, located, pooling, ctx))


def _convert_into(work: Path, located: LocatedModel, pooling: str, ctx: Context) -> Conversion:
    graph = work / "full.onnx"
    tokenizer = Path(shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json"))
    sentences = [text for probe in PROBES for text in (probe.query, probe.answer)]
    texts = [*sentences, " ".join(sentences), " ".join(sentences * 4)]
    source = torch_export.load_source(located, "AutoModel")
    torch_export.export(source, graph, output="last_hidden_state")
    fuse_attention(graph)
    first_token = pooling == "cls" and keep_first_token(graph, hidden_states=True) > 0
    ctx.checkpoint()
    request = InferenceRequest(ctx, Usage(), located.max_length)
    exact = load_embedder(located, "cpu", "float32", ("", ""))
    engine = OnnxEmbedder(graph, tokenizer, "probe", pooling, ("", ""))
    try:
        ours = engine.embed(texts, "passage", request)
        theirs = exact.embed(texts, "passage", request)
    finally:
        engine.close()
    difference = float(np.abs(ours - theirs).max())
    if difference <= MAX_DIFFERENCE:
        return Conversion("fp32", 1.0, difference, 0.0, len(texts), first_token=first_token)
    graph.unlink()
    reason = f"the exported graph differs from the model by {difference:.3g} in a component"
    return Conversion("none", 0.0, difference, 0.0, len(texts), reason)

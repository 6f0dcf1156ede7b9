"""A SPLADE model to an int8 ONNX graph, once, and only if its order survives.

Of each word of the vocabulary only the largest logit over all tokens is read, so that the graph
gives those alone: the product with the vocabulary is cut into parts that stay in the processor's
cache while the largest are picked, instead of going through memory for every token.
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention
from rerank_lab.models.convert.conversion import VECTORS_FORM, Conversion, convert_once
from rerank_lab.models.convert.precision import FULL, Scores
from rerank_lab.models.convert.probed import probed
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.encoders import OnnxSparse, TextRules
from rerank_lab.models.runtime.engine import Sparse, SparseEngine
from rerank_lab.models.runtime.request import InferenceRequest
from rerank_lab.models.torch.sparse import load_sparse

_PART = 1024
"""Words whose logits are computed at once."""

_MAX_BYTES = 1_400_000_000


def convertible(located: LocatedModel) -> bool:
    """Whether conversion can be tried: a masked language model, not too large."""
    fits = located.weights_size <= _MAX_BYTES and (located.folder / "tokenizer.json").is_file()
    is_masked = located.architecture.endswith("ForMaskedLM")
    return is_masked and fits and find_spec("onnx") is not None


def convert_sparse_encoder(located: LocatedModel, ctx: Context) -> Conversion:
    """Convert, verify and keep. Never raises for a model that cannot be converted."""
    return convert_once(located, ctx, lambda work: _convert_into(work, located, ctx), VECTORS_FORM)


def _convert_into(work: Path, located: LocatedModel, ctx: Context) -> Conversion:
    exact = load_sparse(located, "cpu", "float32")
    rules = _rules_of(exact.model)
    rules.write(work)
    shutil.copy(located.folder / "tokenizer.json", work / "tokenizer.json")
    graph = work / FULL
    torch_export.export(_largest_logits(located), graph)
    fuse_attention(graph)
    ctx.checkpoint()
    return probed(
        work,
        rules,
        located.max_length,
        ctx,
        _scores,
        exact,
        lambda path: OnnxSparse(path, "probe"),
    )


def _scores(
    engine: SparseEngine, questions: list[str], passages: list[str], request: InferenceRequest
) -> Scores:
    documents = engine.embed_sparse(passages, "passage", request)
    queries = engine.embed_sparse(questions, "query", request)
    return [[_inner(query, document) for document in documents] for query in queries]


def _rules_of(model: Any) -> TextRules:
    """What the loaded model does around its network. Raises ValueError for what is not known."""
    pooling = model[-1]
    names = [type(module).__name__ for module in model]
    if len(names) != 2 or names[1] != "SpladePooling" or pooling.pooling_strategy != "max":
        raise ValueError(f"it is made of {', '.join(names)}")
    return TextRules(
        query_prompt=model.prompts.get("query") or "",
        document_prompt=model.prompts.get("document") or "",
        twice=pooling.activation_function == "log1p_relu",
    )


def _largest_logits(located: LocatedModel) -> torch_export.ExportSource:
    """The model with the largest logit of each word over all tokens as its output."""
    import torch

    source = torch_export.load_source(located, "AutoModelForMaskedLM")
    model = source.model
    decoder = model.get_output_embeddings()
    name = next(name for name, module in model.named_modules() if module is decoder)
    holder, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(holder), attribute, torch.nn.Identity())

    class Largest(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.config = model, model.config
            self.parts = torch.nn.ModuleList()
            for start in range(0, decoder.out_features, _PART):
                words = slice(start, start + _PART)
                part = torch.nn.Linear(*reversed(decoder.weight[words].shape))
                part.weight.data = decoder.weight.data[words].clone()
                bias = decoder.bias
                part.bias.data = bias.data[words].clone() if bias is not None else part.bias * 0
                self.parts.append(part)

        def forward(self, **inputs: Any) -> Any:
            states = self.model(**inputs).logits
            largest = [part(states).squeeze(0).amax(dim=0) for part in self.parts]
            return SimpleNamespace(logits=torch.cat(largest)[None])

    return torch_export.ExportSource(Largest(), source.tokenizer, source.max_length)


def _inner(one: Sparse, other: Sparse) -> float:
    _, first, second = np.intersect1d(one.ids, other.ids, assume_unique=True, return_indices=True)
    return float(one.weights[first] @ other.weights[second])

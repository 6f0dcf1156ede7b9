"""A late-interaction model to an int8 ONNX graph, once, and only if its order survives.

The encoder and its projection become one graph. What the model's own library does with texts
(prompts, lengths, [MASK] expansion, tokens that are left out) is read from the loaded model and
kept beside it, so that no torch is needed afterwards. MaxSim of the probes is compared.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.models.convert import torch_export
from rerank_lab.models.convert.attention import fuse_attention, mask_keys
from rerank_lab.models.convert.conversion import VECTORS_FORM, Conversion, convert_once
from rerank_lab.models.convert.precision import FULL, Scores
from rerank_lab.models.convert.probed import probed
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.encoders import OnnxMultiVector, TextRules
from rerank_lab.models.runtime.engine import Floats, TokenEngine
from rerank_lab.models.runtime.request import InferenceRequest
from rerank_lab.models.torch.sentence_transformer import TorchTokenEmbedder, load_token_embedder

_MAX_BYTES = 1_400_000_000
_FIRST, _AROUND = "Transformer", ("Dense", "MultiVectorMask", "Normalize")


class NotConvertible(ValueError):
    """The model does something that the converted form does not know."""


def convertible(located: LocatedModel) -> bool:
    """Whether conversion can be tried."""
    fits = located.weights_size <= _MAX_BYTES and (located.folder / "tokenizer.json").is_file()
    return fits and find_spec("onnx") is not None


def convert_token_encoder(located: LocatedModel, ctx: Context) -> Conversion:
    """Convert, verify and keep. Never raises for a model that cannot be converted."""
    return convert_once(located, ctx, lambda work: _convert_into(work, located, ctx), VECTORS_FORM)


def _convert_into(work: Path, located: LocatedModel, ctx: Context) -> Conversion:
    exact = load_token_embedder(located, "cpu", "float32")
    rules = _rules_of(exact)
    rules.write(work)
    exact.model.tokenizer.backend_tokenizer.save(str(work / "tokenizer.json"))
    graph = work / FULL
    torch_export.export(_source(exact, located), graph, output="last_hidden_state")
    fuse_attention(graph)
    if not rules.expansion_attended and rules.expansion_length and not mask_keys(graph):
        raise NotConvertible("its attention is not of the known form")
    ctx.checkpoint()
    return probed(
        work,
        rules,
        located.max_length,
        ctx,
        _scores,
        exact,
        lambda path: OnnxMultiVector(path, "probe"),
    )


def _scores(
    engine: TokenEngine, questions: list[str], passages: list[str], request: InferenceRequest
) -> Scores:
    documents = engine.embed_tokens(passages, "passage", request)
    queries = engine.embed_tokens(questions, "query", request)
    return [[_maxsim(query, document) for document in documents] for query in queries]


def _maxsim(query: Floats, document: Floats) -> float:
    return float((query @ document.T).max(axis=1).sum()) if len(document) else 0.0


def _rules_of(engine: TorchTokenEmbedder) -> TextRules:
    """What the loaded model does with texts. Raises NotConvertible for what is not known here."""
    model: Any = engine.model
    names = [type(module).__name__ for module in model]
    if names[0] != _FIRST or any(name not in _AROUND for name in names[1:]):
        raise NotConvertible(f"it is made of {', '.join(names)}")
    first, mask = model[0], next((m for m in model if type(m).__name__ == _AROUND[1]), None)
    expansion = first.query_expansion or {}
    if expansion and expansion["strategy"] != "fixed":
        raise NotConvertible(f"it expands queries by {expansion['strategy']!r}")
    if mask is not None and (mask.skiplist_tasks != ["document"] or mask.keep_only_token_ids):
        raise NotConvertible("it leaves out tokens by rules of its own")
    skipped = mask._skiplist_ids if mask is not None else None
    tokenizer = model.tokenizer
    token = expansion.get("token")
    token_id = tokenizer.convert_tokens_to_ids(token) if token else tokenizer.mask_token_id
    return TextRules(
        query_prompt=model.prompts.get("query") or "",
        document_prompt=model.prompts.get("document") or "",
        query_length=first.query_length or 0,
        document_length=first.document_length or 0,
        expansion_length=expansion.get("length") or 0,
        expansion_token=token_id if expansion else 0,
        expansion_attended=bool(expansion.get("attend", True)),
        skipped=tuple(skipped.tolist()) if skipped is not None else (),
    )


def _source(engine: TorchTokenEmbedder, located: LocatedModel) -> torch_export.ExportSource:
    """The encoder with the projections behind it."""
    import torch

    model: Any = engine.model
    encoder = model[0].model
    dense = [module for module in model if type(module).__name__ == _AROUND[0]]

    class Projected(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.config = encoder, encoder.config
            self.dense = torch.nn.ModuleList(dense)

        def forward(self, **inputs: Any) -> Any:
            states = self.encoder(**inputs).last_hidden_state
            module: Any
            for module in self.dense:
                states = module.activation_function(module.linear(states))
            return SimpleNamespace(last_hidden_state=states)

    return torch_export.ExportSource(Projected(), model.tokenizer, located.max_length)

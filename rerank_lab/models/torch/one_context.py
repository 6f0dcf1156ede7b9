"""Listwise scoring in one context: jina-reranker-v3 and models of its layout.

Wang et al. 2025, "jina-reranker-v3: Last but Not Late Interaction", arXiv:2509.25085; template,
marks and joining of blocks as in the publisher's modeling.py, which is read here, never run. A
Qwen3 decoder reads the query and many documents; the last hidden states at the mark after each
document and at that after the query pass through a projector, and their cosine is the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, ModelUnavailable
from rerank_lab.models.execution_plan import torch_plan
from rerank_lab.models.local_model import LocalModel
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.models.runtime.request import InferenceRequest, ModelOptions, Usage
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.engine import TorchEngine
from rerank_lab.models.torch.loading import (
    control_tokens,
    load_model,
    load_tokenizer,
    require_all_weights,
    without,
)

Floats = NDArray[np.float64]

DOCUMENT_MARK = "<|embed_token|>"
QUERY_MARK = "<|rerank_token|>"
PROJECTOR = ("projector.0.weight", "projector.2.weight")
DOCUMENT_TOKENS = 2048
QUERY_TOKENS = 512
"""What the publisher's code reads of a document and of a query."""

_BEFORE = (
    "<|im_start|>system\nYou are a search relevance expert who can determine a ranking of the "
    "passages based on how relevant they are to the query. If the query is a question, how "
    "relevant a passage is depends on how well it answers the question. If not, try to analyze the "
    "intent of the query and assess how well each passage satisfies the intent. If an instruction "
    "is provided, you should follow the instruction when determining the ranking.<|im_end|>\n"
    "<|im_start|>user\n"
)
_AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


@dataclass(frozen=True, slots=True)
class Listing:
    """A question about many documents; `block` is how many are shown at once."""

    query: str
    texts: Sequence[str]
    instruction: str = ""
    block: int = 64


class ContextScorer(LocalModel["TorchContext"]):
    """A loaded model: many documents to one cosine each."""

    __slots__ = ()

    def score(self, listing: Listing, ctx: Context, usage: Usage | None = None) -> list[float]:
        """From -1 to 1 for each text, higher is more relevant; its company counts."""
        if not listing.texts:
            return []
        with self.engine(ctx, usage) as (engine, request):
            return engine.score(listing, request)


def prompt(query: str, texts: Sequence[str], instruction: str = "") -> str:
    """What the model is shown: the query before and after numbered passages, each with its mark."""
    instruct = f"<instruct>\n{instruction}\n</instruct>\n" if instruction else ""
    passages = "".join(
        f'<passage id="{i}">\n{text}{DOCUMENT_MARK}\n</passage>\n' for i, text in enumerate(texts)
    )
    return (
        f"{_BEFORE}I will provide you with {len(texts)} passages, each indicated by a numerical "
        f"identifier. Rank the passages based on their relevance to query: {query}\n{instruct}"
        f"{passages}<query>\n{query}{QUERY_MARK}\n</query>{_AFTER}"
    )


class TorchContext(TorchEngine):
    """A Qwen3 decoder without its vocabulary head, a projector, and a tokenizer."""

    def __init__(
        self, model: Any, projector: tuple[Any, Any], tokenizer: Any, device: str, dtype: str
    ) -> None:
        super().__init__(model, device, dtype)
        self._projector = projector
        self._tokenizer = tokenizer
        self._marks = tuple(_mark(tokenizer, mark) for mark in (DOCUMENT_MARK, QUERY_MARK))
        self._control = [*control_tokens(tokenizer), DOCUMENT_MARK, QUERY_MARK]

    def score(self, listing: Listing, request: InferenceRequest) -> list[float]:
        """A cosine for each text, higher is more relevant."""
        query, _ = self._head(listing.query, min(QUERY_TOKENS, request.max_length))
        instruction = without(listing.instruction, self._control)
        limit = request.max_length - len(self._ids(prompt(query, [], instruction)))
        frame = len(self._ids(f'<passage id="{listing.block}">\n{DOCUMENT_MARK}\n</passage>\n'))
        if limit <= frame:
            raise InvalidInput(
                f"Query and template alone take all of {request.max_length} tokens.",
                hint="Choose a larger max_length, or 0 for the model's own limit.",
            )
        texts, sizes = [], []
        for i, text in enumerate(listing.texts):
            head, cut = self._head(text, min(DOCUMENT_TOKENS, limit - frame))
            request.usage.truncated |= {i} if cut else set()
            texts.append(head)
            sizes.append(len(self._ids(head)) + frame)
        vectors = []
        for block in blocks(sizes, limit, listing.block):
            request.ctx.checkpoint()
            ids = self._ids(prompt(query, [texts[i] for i in block], instruction))
            request.usage.tokens += len(ids)
            vectors += self.run_batch([0], partial(self._vectors_of, ids))
            request.ctx.report("scoring", block[-1] + 1, len(texts))
        return joined(vectors)

    def _vectors_of(self, ids: list[int], _: Sequence[int]) -> list[tuple[Floats, Floats]]:
        return [self._vectors(ids)]

    def _vectors(self, ids: list[int]) -> tuple[Floats, Floats]:
        """Projected states at the documents' marks, (documents, width), and the query's, (width,).

        In full precision: cosines in bf16 take few values, and ties are decided by nobody.
        """
        import torch

        inputs = torch.tensor([ids], device=self.device)
        states = self.model(input_ids=inputs, use_cache=False).last_hidden_state[0]
        first, second = self._projector
        vectors = [
            torch.relu(states[inputs[0] == mark].float() @ first.T) @ second.T
            for mark in self._marks
        ]
        documents, query = (v.double().cpu().numpy() for v in vectors)
        return documents, query[-1]

    def _head(self, text: str, limit: int) -> tuple[str, bool]:
        """The first `limit` tokens of a text as text, and whether something was left out."""
        clean, cut = clipped(text, limit)
        clean = without(clean, self._control)
        encoded = self._tokenizer(
            clean, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        if len(encoded["input_ids"]) <= limit:
            return clean, cut
        return clean[: encoded["offset_mapping"][limit - 1][1]], True

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def blocks(sizes: Sequence[int], limit: int, most: int) -> list[list[int]]:
    """Indexes in their order, in runs of at most `most` whose sizes add up to at most `limit`."""
    runs: list[list[int]] = []
    taken = 0
    for index, size in enumerate(sizes):
        if not runs or len(runs[-1]) >= most or taken + size > limit:
            runs.append([])
            taken = 0
        runs[-1].append(index)
        taken += size
    return runs


def joined(vectors: Sequence[tuple[Floats, Floats]]) -> list[float]:
    """Cosines of all documents with one query vector: the blocks' mean.

    A block weighs as much as its best document agrees with the query as seen in that block.
    """
    weights = [float((1 + _cosines(documents, query).max()) / 2) for documents, query in vectors]
    queries = np.stack([query for _, query in vectors])
    mean = np.average(queries, axis=0, weights=weights if sum(weights) > 0 else None)
    return [float(c) for documents, _ in vectors for c in _cosines(documents, mean)]


def _cosines(documents: Floats, query: Floats) -> Floats:
    lengths = np.linalg.norm(documents, axis=1) * np.linalg.norm(query)
    cosines: Floats = documents @ query / np.maximum(lengths, 1e-12)
    return cosines


def open_context_scorer(
    model: str, ctx: Context, options: ModelOptions | None = None
) -> ContextScorer:
    """A model of jina-reranker-v3's layout, loaded. Raises ModelUnavailable with what to do."""
    options = options or ModelOptions()
    located = fetch(model, ctx)
    plan = torch_plan(
        located,
        "context",
        options,
        lambda device, dtype: _load(located, device, dtype),
    )
    if not plan.backend.endswith("cuda"):  # stored in bf16, computed in float32
        plan = replace(plan, size=2 * plan.size)
    scorer = ContextScorer(plan, options)
    scorer.load(ctx)
    return scorer


def _load(located: LocatedModel, device: str, dtype: str) -> TorchContext:
    require_sound(located)
    config = located.json("config.json")
    architecture = located.architecture
    if config.get("model_type") != "qwen3" or architecture != "JinaForRanking":
        raise _refused(located, f"it is a {architecture or 'model of unknown architecture'}")
    projector = _projector(located, int(config.get("hidden_size", 0)))
    model, report = load_model(located, "Qwen3Model", dtype)
    require_all_weights(located, report)
    tokenizer = load_tokenizer(located)
    absent = [m for m in (DOCUMENT_MARK, QUERY_MARK) if m not in tokenizer.get_vocab()]
    if absent:
        raise _refused(located, f"its tokenizer does not know {' and '.join(absent)}")
    first, second = (weight.float().to(device) for weight in projector)
    return TorchContext(model.to(device), (first, second), tokenizer, device, dtype)


def _projector(located: LocatedModel, width: int) -> tuple[Any, Any]:
    """The two matrices of the projector, which read states of `width`. Raises ModelUnavailable."""
    from safetensors import safe_open

    weights: dict[str, Any] = {}
    for path in sorted(located.folder.glob("*.safetensors")):
        with safe_open(str(path), framework="pt") as file:
            weights |= {n: file.get_tensor(n) for n in file.keys() if n.startswith("projector.")}  # noqa: SIM118
    if sorted(weights) != sorted(PROJECTOR):
        names = ", ".join(sorted(weights)[:4]) or "none"
        raise _refused(located, f"its projector weights are {names}, not {', '.join(PROJECTOR)}")
    first, second = (weights[name] for name in PROJECTOR)
    fits = first.ndim == second.ndim == 2 and first.shape[1] == width
    if not fits or second.shape[1] != first.shape[0]:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise _refused(located, f"its projector of {shapes} does not fit states of {width}")
    return first, second


def _mark(tokenizer: Any, mark: str) -> int:
    return int(tokenizer.convert_tokens_to_ids(mark))


def _refused(located: LocatedModel, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{located.name} does not have the layout of jina-reranker-v3: {why}.",
        hint="Use the safetensors of jinaai/jina-reranker-v3, not its GGUF or MLX forms; "
        "the hosted reranker jina serves the model as well.",
    )

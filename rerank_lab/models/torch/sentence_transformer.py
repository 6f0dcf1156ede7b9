"""Models that sentence-transformers loads, so that every architecture it knows works.

Full precision on a CPU, bf16 with SDPA on CUDA, in batches of our own: cancel between them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.onnx.tasks import normalised
from rerank_lab.models.relevance_head import Head
from rerank_lab.models.runtime.engine import Floats
from rerank_lab.models.runtime.request import InferenceRequest, Kind
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.engine import TorchEngine
from rerank_lab.models.torch.loading import load_sentence_transformer


class SentenceTransformerEngine(TorchEngine):
    """A model of sentence-transformers, with its own tokenizer and preprocessing."""

    def _lengths(self, inputs: Sequence[Any]) -> list[int]:
        first, second = inputs, None
        if inputs and isinstance(inputs[0], tuple):
            first, second = [pair[0] for pair in inputs], [pair[1] for pair in inputs]
        encoded = self.model.tokenizer(
            list(first), second, truncation=False, padding=False, verbose=False
        )
        return [len(ids) for ids in encoded["input_ids"]]

    def _features(self, batch: list[Any], **kwargs: Any) -> Any:
        from sentence_transformers.util import batch_to_device

        return batch_to_device(self.model.preprocess(batch, **kwargs), self.model.device)


class TorchScorer(SentenceTransformerEngine):
    """Pairs to raw logits, whatever activation the model's configuration names."""

    def __init__(self, model: Any, device: str, dtype: str, head: Head) -> None:
        super().__init__(model, device, dtype)
        self._head = head
        self._prompt = model.prompts.get(model.default_prompt_name) or None

    def score(self, query: str, texts: Sequence[str], request: InferenceRequest) -> list[float]:
        """One raw logit a text; of two outputs, the relevant one less the other."""
        return self.score_pairs([(query, text) for text in texts], request)

    def score_pairs(
        self, pairs: Sequence[tuple[str, str]], request: InferenceRequest
    ) -> list[float]:
        """As `score`, of (query, text) pairs: several queries in one call."""
        limit = request.max_length
        self.model.max_seq_length = limit
        queries = {query: clipped(query, limit)[0] for query in {query for query, _ in pairs}}
        inputs = [(queries[query], clipped(text, limit)[0]) for query, text in pairs]
        return self.batches(inputs, request, self._logits, limit)

    def _logits(self, pairs: list[tuple[str, str]]) -> list[float]:
        features = self._features(pairs, prompt=self._prompt)
        logits = self.model(features)["scores"].float().cpu().numpy()
        logits = logits.reshape(len(pairs), -1)
        scores = logits[:, self._head.relevant]
        if self._head.labels == 2:
            scores = scores - logits[:, 1 - self._head.relevant]
        return [float(score) for score in scores]


class TorchEmbedder(SentenceTransformerEngine):
    """Texts to one vector each, through all modules of a sentence-transformers model."""

    def __init__(self, model: Any, device: str, dtype: str, prefixes: tuple[str, str]) -> None:
        super().__init__(model, device, dtype)
        self._prefixes = prefixes
        self._takes_task = "task" in model.get_model_kwargs()

    def embed(self, texts: Sequence[str], kind: Kind, request: InferenceRequest) -> Floats:
        """Shape (texts, dimension), each row of length 1."""
        self.model.max_seq_length = request.max_length
        inputs = [clipped(text, request.max_length)[0] for text in texts]
        run = functools.partial(self._vectors, kind=kind)
        rows: list[Floats] = self.batches(inputs, request, run, request.max_length)
        return normalised(np.stack(rows))

    def _vectors(self, texts: list[str], kind: Kind) -> list[Floats]:
        prompt = self._prefixes[kind == "passage"] or None
        task = {"task": _TASKS[kind]} if self._takes_task else {}
        features = self._features(texts, prompt=prompt, **task)
        return list(self.model(features, **task)["sentence_embedding"].float().cpu().numpy())


class TorchTokenEmbedder(SentenceTransformerEngine):
    """Texts to one vector a token: PyLate and sentence-transformers multi-vector models."""

    def embed_tokens(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Floats]:
        """A (tokens, dimension) array a text, each row of length 1."""
        own = getattr(self.model[0], f"{_TASKS[kind]}_length", None)
        limit = min(request.max_length, own or request.max_length)
        inputs = [clipped(text, request.max_length)[0] for text in texts]
        return self.batches(inputs, request, functools.partial(self._vectors, kind=kind), limit)

    def _vectors(self, texts: list[str], kind: Kind) -> list[Floats]:
        encode = self.model.encode_query if kind == "query" else self.model.encode_document
        vectors = encode(
            texts, batch_size=len(texts), convert_to_numpy=True, show_progress_bar=False
        )
        return [normalised(np.asarray(rows, np.float32)) for rows in vectors]


_TASKS: dict[Kind, str] = {"query": "query", "passage": "document"}


def load_scorer(located: LocatedModel, device: str, dtype: str, head: Head) -> TorchScorer:
    """A cross-encoder in `dtype`, its head in full precision. Raises ModelUnavailable."""
    model = load_sentence_transformer(located, "CrossEncoder", device, dtype)
    if dtype != "float32":
        # A head computed in bf16 has 256 values between two powers of two: ties, decided by nobody.
        model.set_keep_in_fp32_modules(_last_linear(model, head.labels))
    return TorchScorer(model, device, dtype, head)


def load_embedder(
    located: LocatedModel, device: str, dtype: str, prefixes: tuple[str, str]
) -> TorchEmbedder:
    """A bi-encoder; `prefixes` are those of queries and of passages. Raises ModelUnavailable."""
    model = load_sentence_transformer(located, "SentenceTransformer", device, dtype)
    return TorchEmbedder(model, device, dtype, prefixes)


def load_token_embedder(located: LocatedModel, device: str, dtype: str) -> TorchTokenEmbedder:
    """A late-interaction encoder. Raises ModelUnavailable."""
    model = load_sentence_transformer(located, "MultiVectorEncoder", device, dtype)
    return TorchTokenEmbedder(model, device, dtype)


def _last_linear(model: Any, labels: int) -> list[str]:
    import torch

    names = [
        name
        for name, module in model.named_modules()
        if type(module) is torch.nn.Linear and module.out_features == labels
    ]
    return names[-1:]

"""The three tasks on an ONNX graph: score pairs, embed texts, embed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.onnx.session import OnnxEngine, Runtime
from rerank_lab.models.relevance_head import Head
from rerank_lab.models.runtime.engine import Floats
from rerank_lab.models.runtime.request import InferenceRequest, Kind
from rerank_lab.models.runtime.tokenizer import Tokenized

_EPSILON = np.float32(1e-12)


class OnnxScorer(OnnxEngine):
    """Pairs to raw logits."""

    def __init__(
        self,
        graph: Path,
        tokenizer: Path,
        backend: str,
        head: Head,
        runtime: Runtime = "onnxruntime",
    ) -> None:
        super().__init__(graph, tokenizer, backend, runtime)
        self._head = head
        self._output = require_output(self, 2, head.labels, "a relevance score a pair", graph)

    def score(self, query: str, texts: Sequence[str], request: InferenceRequest) -> list[float]:
        """One raw logit a text; of two outputs, the relevant one less the other."""
        return self.score_pairs([(query, text) for text in texts], request)

    def score_pairs(
        self, pairs: Sequence[tuple[str, str]], request: InferenceRequest
    ) -> list[float]:
        """As `score`, of (query, text) pairs: several queries in one call."""
        with request.tokenising():
            inputs = self.tokens.pairs_of_queries(pairs, request.max_length)
        request.count([len(item) for item in inputs], [item.cut for item in inputs])

        def finish(logits: Floats, _: Tokenized) -> float:
            score = float(logits[self._head.relevant])
            return score - float(logits[1 - self._head.relevant]) if len(logits) == 2 else score

        return self.run(inputs, request.ctx, finish, self._output)


class OnnxEmbedder(OnnxEngine):
    """Texts to one vector each, by `pooling` ("cls" or "mean") of the last hidden states."""

    def __init__(
        self, graph: Path, tokenizer: Path, backend: str, pooling: str, prefixes: tuple[str, str]
    ) -> None:
        super().__init__(graph, tokenizer, backend)
        self._prefixes = prefixes
        if pooling not in ("cls", "mean"):
            raise ModelUnavailable(
                f"{graph.parent.name} pools its tokens by {pooling!r}; "
                "ONNX graphs are run with cls or mean pooling.",
                hint='Use backend="torch" for it.',
            )
        self._mean = pooling == "mean"
        self._output = require_output(self, 3, 0, "hidden states a token", graph)

    def embed(self, texts: Sequence[str], kind: Kind, request: InferenceRequest) -> Floats:
        """Shape (texts, dimension), each row of length 1."""
        prefix = self._prefixes[kind == "passage"]
        with request.tokenising():
            inputs = self.tokens.singles([prefix + text for text in texts], request.max_length)
        request.count([len(i) for i in inputs], [i.cut for i in inputs])
        rows = self.run(inputs, request.ctx, self._pool_tokens, self._output)
        return normalised(np.stack(rows))

    def _pool_tokens(self, states: Floats, _: Tokenized) -> Floats:
        pooled: Floats = states.mean(axis=0) if self._mean else states[0]
        return pooled


class OnnxTokenEmbedder(OnnxEngine):
    """Texts to one vector a token, with a marker token after [CLS] for queries and for documents.

    ColBERT (Khattab and Zaharia 2020) without [MASK] expansion of queries. Special tokens are kept,
    punctuation of documents is left out, as ColBERT does.
    """

    def __init__(
        self, graph: Path, tokenizer: Path, backend: str, markers: tuple[str, str]
    ) -> None:
        super().__init__(graph, tokenizer, backend)
        self._output = require_output(self, 3, 0, "hidden states a token", graph)
        ids = [self.tokens.id_of(marker) for marker in markers]
        if None in ids:
            raise ModelUnavailable(
                f"The tokenizer of {graph.parent.name} lacks the markers {' and '.join(markers)}.",
                hint="This is not a late-interaction model, or its tokenizer is incomplete.",
            )
        self._markers = {"query": ids[0], "passage": ids[1]}
        self._skipped = np.array(
            [i for i in map(self.tokens.id_of, _PUNCTUATION) if i is not None], np.int64
        )

    def embed_tokens(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Floats]:
        """A (tokens, dimension) array a text, each row of length 1."""
        with request.tokenising():
            inputs = [
                _with_marker(item, self._markers[kind])
                for item in self.tokens.singles(texts, request.max_length - 1)
            ]
        request.count([len(i) for i in inputs], [i.cut for i in inputs])

        def finish(states: Floats, item: Tokenized) -> Floats:
            if kind == "passage":
                states = states[~np.isin(item.ids, self._skipped)]
            return normalised(states)

        return self.run(inputs, request.ctx, finish, self._output)


_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def normalised(rows: Floats) -> Floats:
    """Rows divided by their length; a row of zeros stays zero."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: Floats = (rows / np.maximum(lengths, _EPSILON)).astype(np.float32)
    return scaled


def require_output(engine: OnnxEngine, rank: int, last: int, what: str, graph: Path) -> int:
    """The output that a task reads: `rank` dimensions, the last of them `last` (0: any).

    Raises ModelUnavailable when the graph has none such.
    """
    for index, (_, shape) in enumerate(engine.outputs):
        if len(shape) == rank and (not last or shape[-1] == last or isinstance(shape[-1], str)):
            return index
    names = ", ".join(f"{name} {shape}" for name, shape in engine.outputs)
    raise ModelUnavailable(
        f"The graph of {graph.parent.name} does not give {what} (its outputs: {names}).",
        hint="Use the model for what it was made: scoring pairs, or embedding texts.",
    )


def _with_marker(item: Tokenized, marker: int | None) -> Tokenized:
    ids = np.insert(item.ids, 1, marker or 0)
    return Tokenized(ids, np.insert(item.types, 1, item.types[0]), item.cut)

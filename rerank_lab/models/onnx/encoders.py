"""Converted late-interaction and SPLADE models: what their own libraries do around the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from rerank_lab.core.text import load_json
from rerank_lab.models.onnx.session import OnnxEngine
from rerank_lab.models.onnx.tasks import normalised, require_output
from rerank_lab.models.runtime.engine import Floats, Sparse
from rerank_lab.models.runtime.request import InferenceRequest, Kind
from rerank_lab.models.runtime.tokenizer import Tokenized

RULES = "texts.json"


@dataclass(frozen=True, slots=True)
class TextRules:
    """What a model does with texts before and after the network.

    `query_prompt` and `document_prompt` stand before a text. `query_length` and `document_length`
    are tokens, 0 for the model's own limit. A query of late interaction is filled up with
    `expansion_token` to `expansion_length` (0: it is not), which other tokens attend to where
    `expansion_attended`. Vectors of the tokens `skipped` are left out of documents. `twice` takes
    the logarithm of sparse weights a second time.
    """

    query_prompt: str = ""
    document_prompt: str = ""
    query_length: int = 0
    document_length: int = 0
    expansion_length: int = 0
    expansion_token: int = 0
    expansion_attended: bool = True
    skipped: tuple[int, ...] = ()
    twice: bool = False

    def write(self, folder: Path) -> None:
        """Keep them beside the graph."""
        (folder / RULES).write_text(json.dumps(asdict(self), indent=2), "utf-8")

    @staticmethod
    def read(folder: Path) -> TextRules:
        """Those of a converted model. Raises OSError, ValueError or TypeError."""
        values = load_json((folder / RULES).read_text("utf-8"))
        return TextRules(**{**values, "skipped": tuple(values["skipped"])})

    def prompted(self, texts: Sequence[str], kind: Kind) -> list[str]:
        """The texts with what stands before them."""
        prompt = self.query_prompt if kind == "query" else self.document_prompt
        return [prompt + text for text in texts]


class OnnxMultiVector(OnnxEngine):
    """Texts to one vector a token, by a converted late-interaction model."""

    def __init__(self, graph: Path, backend: str) -> None:
        super().__init__(graph, graph.parent / "tokenizer.json", backend)
        self._rules = TextRules.read(graph.parent)
        self._output = require_output(self, 3, 0, "a vector a token", graph)
        self._skipped = np.array(self._rules.skipped, np.int64)

    def embed_tokens(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Floats]:
        """An array of shape [n_tokens, dimension] a text, rows of length 1."""
        rules = self._rules
        own = rules.expansion_length or rules.query_length
        own = own if kind == "query" else rules.document_length
        limit = min(request.max_length, own or request.max_length)
        with request.tokenising():
            inputs = self.tokens.singles(rules.prompted(texts, kind), limit)
        request.count([len(i) for i in inputs], [i.cut for i in inputs])
        if kind == "query":
            inputs = [self._expanded(item) for item in inputs]

        def finish(states: Floats, item: Tokenized) -> Floats:
            if kind == "passage" and len(self._skipped):
                states = states[~np.isin(item.ids, self._skipped)]
            return normalised(states)

        return self.run(inputs, request.ctx, finish, self._output)

    def _expanded(self, item: Tokenized) -> Tokenized:
        more = max(0, self._rules.expansion_length - len(item))
        ids = np.concatenate([item.ids, np.full(more, self._rules.expansion_token, np.int64)])
        types = np.concatenate([item.types, np.zeros(more, np.int64)])
        return Tokenized(ids, types, item.cut, 0 if self._rules.expansion_attended else more)


class OnnxSparse(OnnxEngine):
    """Texts to weights of words: log(1 + relu) of the largest logit of each, in the graph's."""

    def __init__(self, graph: Path, backend: str) -> None:
        super().__init__(graph, graph.parent / "tokenizer.json", backend)
        self._rules = TextRules.read(graph.parent)
        self._output = require_output(self, 2, 0, "a weight a word", graph)

    def embed_sparse(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
        with request.tokenising():
            inputs = self.tokens.singles(self._rules.prompted(texts, kind), request.max_length)
        request.count([len(i) for i in inputs], [i.cut for i in inputs])
        return self.run(inputs, request.ctx, self._weighed, self._output)

    def _weighed(self, logits: Floats, _: Tokenized) -> Sparse:
        ids = np.flatnonzero(logits > 0)
        weights = np.log1p(logits[ids])
        return Sparse(ids.astype(np.int32), np.log1p(weights) if self._rules.twice else weights)

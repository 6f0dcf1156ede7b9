"""Maximal marginal relevance: relevant documents that do not repeat each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.corpora.analysis import LANGUAGE, Analyzer
from rerank_lab.models import Encoder, fetch, model_digest, open_encoder
from rerank_lab.rerankers.base import TOP, Reranker

Floats = NDArray[np.float64]


class MMR(Reranker):
    """Each next document is the best by its relevance and by how little it repeats others.

    The value is balance * relevance - (1 - balance) * likeness to the most alike document that was
    taken already (Carbonell and Goldstein 1998).

    Likeness is the cosine of word vectors (tf-idf among the candidates), or of a bi-encoder's.
    Gives an order only: what a document adds depends on those before it.
    """

    info: ClassVar[Info] = Info(
        name="mmr",
        kind="reranker",
        family="diversity",
        has_model=False,
        summary="Takes relevant documents one by one, and puts back those that repeat others.",
        scale="order",
        params=(
            TOP,
            Param(
                "balance",
                0.7,
                "1 looks at relevance alone, 0 at difference alone (lambda in the paper).",
                low=0.0,
                high=1.0,
                label="Relevance against difference",
            ),
            Param(
                "relevance",
                "rank",
                "The order of the stage before, falling evenly from 1 to 0, or the cosine.",
                choices=("rank", "cosine"),
                label="Relevance by",
            ),
            Param(
                "model", "", "A bi-encoder to compare with; empty compares words.", label="Model"
            ),
            LANGUAGE,
        ),
    )

    _encoder: Encoder | None = None

    @property
    def model(self) -> str:
        """The bi-encoder's name, "" where words are compared."""
        return str(self.options["model"])

    def prepare(self, ctx: Context) -> None:
        """Download the bi-encoder when one is asked for and not here."""
        if self.model:
            fetch(self.model, ctx)

    def weights_digest(self) -> str:
        """Digest of the bi-encoder's files, "" without one."""
        return model_digest(self.model, vectors=True) if self.model else ""

    def _load(self, ctx: Context) -> None:
        self._encoder = open_encoder(self.model, ctx) if self.model else None

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.unload()
        self._encoder = None

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        texts = [doc.content for doc in docs]
        if self._encoder is None:
            cosine, like = self._words(query.text, texts)
        else:
            cosine, like = _vectors(self._encoder, query.text, texts, work)
        falling = 1 - np.arange(len(docs)) / max(1, len(docs) - 1)
        relevance = cosine if self.options["relevance"] == "cosine" else falling
        order = mmr(relevance, like, float(self.options["balance"]), work.checkpoint)
        return Ranking.from_order(query.id, [docs[i].id for i in order]), Status.OK

    def _words(self, query: str, texts: Sequence[str]) -> tuple[Floats, Callable[[int], Floats]]:
        analyzer = Analyzer(str(self.options["language"]), True)
        counted = [Counter(analyzer.document_terms(text)) for text in texts]
        frequency = Counter(term for counts in counted for term in counts)
        idf = {term: math.log(1 + len(texts) / df) for term, df in frequency.items()}
        vectors = [_unit({t: (1 + math.log(c)) * idf[t] for t, c in v.items()}) for v in counted]
        query_vector = _unit({t: idf[t] for t in analyzer.query_terms(query) if t in idf})
        postings: dict[str, list[tuple[int, float]]] = {}
        for number, vector in enumerate(vectors):
            for term, weight in vector.items():
                postings.setdefault(term, []).append((number, weight))

        def like(vector: dict[str, float]) -> Floats:
            cosines = np.zeros(len(texts))
            for term, weight in vector.items():
                for number, other in postings[term]:
                    cosines[number] += weight * other
            return cosines

        return like(query_vector), lambda i: like(vectors[i])


def mmr(
    relevance: Floats,
    like: Callable[[int], Floats],
    balance: float,
    checkpoint: Callable[[], None] = lambda: None,
) -> list[int]:
    """Positions in the order in which MMR takes them; ties go to the earlier position.

    `relevance` has shape (n,); `like(i)` gives the likeness of all n to document i.
    """
    left = np.ones(len(relevance), dtype=bool)
    closest = np.full(len(relevance), -np.inf)
    order: list[int] = []
    while left.any():
        checkpoint()
        repeated = closest if order else np.zeros(len(relevance))
        value = np.where(left, balance * relevance - (1 - balance) * repeated, -np.inf)
        # Sums in another order differ in the last digits; such documents tie.
        taken = int(np.flatnonzero(value >= value.max() - 1e-12)[0])
        order.append(taken)
        left[taken] = False
        closest = np.maximum(closest, like(taken))
    return order


def _vectors(
    encoder: Encoder, query: str, texts: Sequence[str], work: Work
) -> tuple[Floats, Callable[[int], Floats]]:
    query_vector = encoder.encode([query], "query", work.ctx)[0].astype(np.float64)
    vectors = encoder.encode(texts, "passage", work.ctx).astype(np.float64)
    return vectors @ query_vector, lambda i: vectors @ vectors[i]


def _unit(vector: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(math.fsum(weight * weight for weight in vector.values()))
    return {term: weight / length for term, weight in vector.items()} if length else {}

"""The contract of a fusion: several rankings of one query made into one, blind to their order.

A document that a ranking lacks gets nothing from it. Sums are exact (`math.fsum`), so that the
order in which sources are named cannot change a result; ties go to the earlier place before the
fusion where there is one (a fusion of rerankers), else to the smaller document id.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.components.base import Component, Param
from rerank_lab.core.errors import ContractViolation
from rerank_lab.core.spec import Literal, Node
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.core.work import Work

TOP = Param(
    "top",
    100,
    "First: how many of the fused documents are kept. As a stage: how many candidates it reranks.",
    low=1,
    high=10_000,
    unit="documents",
    label="Candidates",
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a fusion that is a stage works on.

    `docs` are the documents that the stage before left, in the order of its ranking `before`;
    `rankings` what each source makes of them, in the order of the sources.
    """

    query: Query
    docs: tuple[Document, ...]
    before: Ranking
    rankings: tuple[Ranking, ...]


class Fusion(Component):
    """What the registered fusions have in common. Instant to construct, without state."""

    def __init__(self, sources: Sequence[Node] = (), **options: Literal) -> None:
        self.sources = tuple(sources)
        super().__init__(**options)

    def fingerprint(self) -> str:
        """What its results depend on beside sources and options, such as the digest of a model."""
        return self.weights_digest()

    def rerank(self, candidates: Candidates, work: Work) -> Ranking:
        """As a stage: one ranking of the candidates. Override to read more than rankings."""
        return self.fuse(candidates.rankings, candidates.before.doc_ids)

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        """One ranking of at most `top` documents; ties go by place in `previous`, then by id.

        Raises InvalidInput for unusable options.
        """
        raise NotImplementedError


def summed(
    rankings: Sequence[Ranking],
    parts: Sequence[Mapping[str, float]],
    scale: str,
    limit: int | None,
    previous: Sequence[str] = (),
) -> Ranking:
    """The ranking by the sum of what each ranking adds for a document.

    Args:
        rankings: Rankings of one query.
        parts: Document id -> what its ranking adds, one mapping for each of `rankings`.
        scale: What the sums are called.
        limit: At most so many documents; None for all.
        previous: The order before, which settles ties; then the id does.

    Raises:
        ContractViolation: the rankings are of several queries.
    """
    queries = sorted({ranking.query_id for ranking in rankings})
    if len(queries) != 1:
        raise ContractViolation(
            f"Fusion needs rankings of one query, not of {len(queries)}.",
            hint="Fuse the rankings of each query by themselves.",
        )
    terms: dict[str, list[float]] = defaultdict(list)
    for part in parts:
        for doc_id, value in part.items():
            terms[doc_id].append(value)
    scores = {doc_id: math.fsum(values) for doc_id, values in terms.items()}
    return Ranking.from_scores(queries[0], scores, scale, previous, limit)

"""What a command would ask of providers, noted before it asks."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.cli.output import Output
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.cost_estimates import query_set_estimates
from rerank_lab.views.hosted import estimates_words

_CANDIDATES = 100
"""What a first stage hands over unless it says otherwise: what estimates count on."""


def note_cost_estimates(
    specs: Sequence[str],
    queries: Sequence[Query],
    corpus: Corpus,
    engine: Engine,
    output: Output,
) -> None:
    """One remark a pipeline that asks a provider; none for those that run here."""
    estimates = query_set_estimates(specs, queries, corpus, _CANDIDATES, engine)
    for spec, of_stages in estimates.items():
        output.note(f"{spec} asks for up to {estimates_words(of_stages)}")

"""What a session spent, and what a query set would take of providers, in words."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.views.hosted import calls_out, estimate, estimate_words, money


def spent_words(meter: SpendMeter) -> str:
    """`$0.021 spent so far`, and what the limit leaves where there is one."""
    spent = f"{money(meter.spent, meter.currency)} spent so far, by the dated prices"
    left = meter.left
    if left is None:
        return f"{spent}."
    return f"{spent}; {money(max(0.0, left), meter.currency)} of the limit left."


def ahead(
    specs: Sequence[str], queries: Sequence[Query], corpus: Corpus, depth: int, engine: Engine
) -> dict[str, str]:
    """By spec, what these queries would take of the providers that it asks.

    Judged by the longest query and evenly spaced documents, nothing being cached. Specs that ask
    none are left out, and those that cannot run: their own error says why when they do.
    """
    if not queries or not corpus.documents:
        return {}
    longest = max(queries, key=lambda query: len(query.text))
    step = max(1, len(corpus.documents) // depth)
    docs = corpus.documents[::step][:depth]
    found = {}
    for spec in specs:
        try:
            pipeline = Pipeline(spec)
            if calls_out(pipeline):
                parts = estimate(pipeline, longest, docs, engine)
                found[spec] = "; ".join(estimate_words(one, len(queries)) for one in parts)
        except LabError:
            continue
    return found

"""What a command would ask of providers, told before it asks."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.cli.output import Output
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.views.spending import ahead

_CANDIDATES = 100
"""What a first stage hands over unless it says otherwise: what estimates count on."""


def tell_ahead(
    specs: Sequence[str],
    queries: Sequence[Query],
    corpus: Corpus,
    engine: Engine,
    output: Output,
) -> None:
    """One remark a pipeline that asks a provider; none for those that run here."""
    for spec, words in ahead(specs, queries, corpus, _CANDIDATES, engine).items():
        output.note(f"{spec} asks for up to {words}")

"""What to know before an evaluation: models that were not made for the languages they will read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rerank_lab.components.model_languages import language_warnings, model_languages
from rerank_lab.components.registry import expand
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import query_languages
from rerank_lab.pipeline.pipeline import Pipeline

_SAMPLED = 200
"""Evenly spaced queries whose language is looked at, at least; at most twice as many."""


def language_notes(
    pipelines: Sequence[PipelineSpec], corpus: Corpus, queries: Sequence[Query]
) -> tuple[str, ...]:
    """A sentence for each model of these pipelines that knows neither corpus nor queries.

    Languages are guessed where the corpus does not tell them; nothing runs and nothing is loaded.
    """
    models = [model for spec in pipelines for model in _models(spec) if model_languages(model)]
    if not models:
        return ()
    sample = queries[:: max(1, len(queries) // _SAMPLED)]
    shares: Counter[str] = Counter()
    for query in sample:
        shares.update({code: s / len(sample) for code, s in query_languages(query.text).items()})
    read = (
        (corpus.languages, "the corpus", corpus.languages_guessed),
        (shares, "the queries", True),
    )
    notes = (
        note
        for model in models
        for languages, what, guessed in read
        for note in language_warnings(model, languages, what, guessed=guessed)
    )
    return tuple(dict.fromkeys(notes))


def _models(spec: PipelineSpec) -> list[str]:
    parts = Pipeline(spec).leaves
    return [str(expand(node, kind)[1].get("model", "")) for node, kind in parts]

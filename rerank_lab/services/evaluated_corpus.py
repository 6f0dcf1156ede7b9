"""The corpus of an evaluation as it was evaluated: its documents, queries and judgments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.pipeline import Pipeline


def evaluated_corpus(evaluation: Evaluation, corpus: Corpus) -> Corpus:
    """The corpus with the queries and judgments of an evaluation.

    What the corpus says of a query beside its text, such as reference answers, is kept.

    Raises:
        InvalidInput: the corpus holds other documents than those that were evaluated.
    """
    design = evaluation.design
    if corpus.content_hash != design.corpus_hash:
        raise InvalidInput(
            f"{design.corpus} holds other documents now.",
            hint="Evaluate again, and ask of the new evaluation.",
        )
    known = {query.id: query.meta for query in corpus.queries}
    queries = tuple(
        replace(query, meta={**known.get(query.id, {}), **query.meta}) for query in design.queries
    )
    return corpus.with_judgments(queries, design.qrels, design.basis)


def runnable(texts: Sequence[str]) -> tuple[PipelineSpec, ...]:
    """Those of the pipelines of an evaluation that can be run here; runs of others cannot.

    Raises:
        InvalidInput: there is none.
    """
    specs = []
    for text in texts:
        try:
            specs.append(Pipeline(text).spec)
        except LabError:
            continue
    if not specs:
        raise InvalidInput(
            "None of these pipelines can be run here.",
            hint="Evaluate a pipeline of this lab beside them.",
        )
    return tuple(specs)

"""The columns of queries that group and weigh them, for evaluations kept before they were."""

from __future__ import annotations

from dataclasses import replace

from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.query_tags import grouping_columns


def with_query_columns(evaluation: Evaluation, corpus: Corpus) -> Evaluation:
    """The evaluation with what the corpus knows of its queries by now; columns kept then stay.

    A query counts as the same where id and text agree.
    """
    own = {(query.id, query.text): query for query in corpus.queries}
    queries = tuple(
        replace(query, meta={**query.meta, **grouping_columns(known)})
        if (known := own.get((query.id, query.text)))
        else query
        for query in evaluation.design.queries
    )
    return replace(evaluation, design=replace(evaluation.design, queries=queries))

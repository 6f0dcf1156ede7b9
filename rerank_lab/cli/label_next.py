"""`rerank-lab labels next`: which labels would tell most about the best pipeline."""

from __future__ import annotations

import argparse
from typing import Any

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.judging.next_best import Decision
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services.cost_estimates import CANDIDATES, query_set_estimates
from rerank_lab.services.next_best import NextBestRequest, next_best
from rerank_lab.views.next_best import decision_sentences

_QUERY_CHARS = 50


def next_labels(arguments: argparse.Namespace, output: Output) -> int:
    """Print the leader, how sure that is, and the pairs worth most."""
    engine = default_engine()
    corpus = judged_collection(arguments)
    specs = tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines))
    request = NextBestRequest(specs, arguments.measure, arguments.limit)
    queries = corpus.queries[: arguments.limit]
    ctx = job_context(arguments, output, engine)
    note_cost_estimates(query_set_estimates(specs, queries, corpus, CANDIDATES, engine), output)
    decision = next_best(request, corpus, ctx, engine)
    if output.as_json:
        output.json(_json(decision, arguments.measure, arguments.pairs))
        return 0
    for sentence in decision_sentences(decision, arguments.measure):
        output.line(sentence)
    print_basis(corpus.basis, output)
    texts = {query.id: query.text for query in queries}
    rows = [
        [f"{pair.expected_change:.5f}", pair.query_id, pair.doc_id, _short(texts[pair.query_id])]
        for pair in decision.candidates[: arguments.pairs]
    ]
    if rows:
        output.line()
        output.table(
            [["expected change", "query", "document", "text of the query"], *rows], right=[0]
        )
    return 0


def _json(decision: Decision, measure: str, count: int) -> dict[str, Any]:
    return {
        "pairs": [
            {
                "query_id": pair.query_id,
                "doc_id": pair.doc_id,
                "expected_change": pair.expected_change,
            }
            for pair in decision.candidates[:count]
        ],
        "leader": decision.leader,
        "confidence": decision.confidence,
        "settled": decision.settled,
        "win_chances": dict(decision.win_chances),
        "means": dict(decision.means),
        "measure": measure,
        "labels": decision.labels,
        "unjudged": len(decision.candidates),
    }


def _short(text: str) -> str:
    return text if len(text) <= _QUERY_CHARS else f"{text[: _QUERY_CHARS - 3]}..."

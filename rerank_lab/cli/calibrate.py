"""`rerank-lab calibrate`: what a pipeline's score is worth, by judgments."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import collection_options
from rerank_lab.core.context import Context
from rerank_lab.core.spend import SpendMeter
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.calibration import calibrate as fitted
from rerank_lab.evaluation.calibration import judged_scores, require_judgments, threshold_for
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.views.calibration import view


def calibrate(arguments: argparse.Namespace, output: Output) -> int:
    """Fit and test both curves; print the better one, or the one asked for, as a stage."""
    engine = default_engine()
    corpus = load_corpus(
        arguments.corpus,
        queries=arguments.queries,
        qrels=arguments.qrels,
        exclude_identical=arguments.exclude_identical,
        options=collection_options(arguments),
    )
    ctx = Context(
        cache=engine.scores,
        progress=output.progress,
        spend=SpendMeter(arguments.spend_limit),
    )
    judged_queries = [query for query in corpus.queries if corpus.qrels.get(query.id)]
    judged_queries = judged_queries[: arguments.limit]
    require_judgments(corpus, judged_queries, arguments.grade, arguments.folds)
    note_cost_estimates([arguments.pipeline], judged_queries, corpus, engine, output)
    judged = judged_scores(
        corpus, arguments.pipeline, queries=judged_queries, grade=arguments.grade, ctx=ctx
    )
    calibration = fitted(judged, folds=arguments.folds, seed=arguments.seed)
    result_view = view(calibration, arguments.method, arguments.precision)
    if output.as_json:
        cut = threshold_for(result_view.fitted, arguments.precision)
        output.json(
            calibration.to_json()
            | {
                "spec": result_view.spec,
                "precision": arguments.precision,
                "threshold": cut.threshold if cut else None,
                "threshold_spec": result_view.cut_spec or None,
                "threshold_figures": asdict(cut) if cut else None,
                "covered": list(result_view.fitted.covered),
                "advised": result_view.advised,
                "answer": result_view.answer,
                "threshold_answer": result_view.cut_answer,
            }
        )
        return 0
    for line in (result_view.answer, result_view.cut_answer, result_view.ground):
        output.line(line)
    output.line()
    heads = ["curve", "Brier", "log loss", "ECE"]
    output.table([heads, *(list(row) for row in result_view.rows)], right=range(1, 4))
    output.line()
    output.line(result_view.advised)
    return 0

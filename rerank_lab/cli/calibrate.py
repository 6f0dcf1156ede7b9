"""`rerank-lab calibrate`: what a pipeline's score is worth, by judgments."""

from __future__ import annotations

import argparse

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.output import Output
from rerank_lab.core.context import Context
from rerank_lab.core.spend import SpendMeter
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.calibration import calibrate as fitted
from rerank_lab.evaluation.calibration import judged_scores, threshold_for
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
    )
    ctx = Context(
        cache=engine.scores,
        progress=output.progress,
        spend=SpendMeter(arguments.spend_limit),
    )
    asked = [query for query in corpus.queries if corpus.qrels.get(query.id)]
    note_cost_estimates([arguments.pipeline], asked, corpus, engine, output)
    judged = judged_scores(corpus, arguments.pipeline, grade=arguments.grade, ctx=ctx)
    found = fitted(judged, folds=arguments.folds, seed=arguments.seed)
    shown = view(found, arguments.method, arguments.precision)
    if output.as_json:
        cut = threshold_for(shown.fitted, arguments.precision)
        output.json(
            found.to_json()
            | {
                "spec": shown.spec,
                "precision": arguments.precision,
                "threshold": cut.threshold if cut else None,
                "threshold_spec": shown.cut_spec or None,
            }
        )
        return 0
    for line in (shown.answer, shown.cut_answer, shown.ground):
        output.line(line)
    output.line()
    heads = ["curve", "Brier", "log loss", "ECE"]
    output.table([heads, *(list(row) for row in shown.rows)], right=range(1, 4))
    output.line()
    output.line(shown.cut_spec or shown.spec)
    return 0

"""`rerank-lab depth`: how many candidates pipelines should rerank."""

from __future__ import annotations

import argparse

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import depth as depth_service
from rerank_lab.services.depth import DepthRequest
from rerank_lab.views.depth import depth_view
from rerank_lab.views.labels import numbered


def depth(arguments: argparse.Namespace, output: Output) -> int:
    """Try the depths; 2 when no pipeline answered a single query."""
    table_file(arguments.table)
    engine = default_engine()
    corpus = judged_collection(arguments)
    request = DepthRequest(
        tuple(pipeline.spec for pipeline in pipelines(arguments.pipelines)),
        measure=arguments.measure,
        depths=arguments.depths,
        limit=arguments.limit,
    )
    note_cost_estimates(depth_service.cost_estimates(request, corpus, engine), output)
    study = depth_service.run(request, corpus, job_context(arguments, output, engine), engine)
    write_study_table(arguments, output, study)
    labels = numbered([curve.pipeline for curve in study.curves])
    view = depth_view(study, labels)
    if output.as_json:
        more = {"answer": list(view.answer), "judgments": corpus.basis.to_json()}
        output.json(study.to_json() | more)
        return 0 if view.rows else 2
    print_basis(corpus.basis, output)
    for sentence in view.answer:
        output.line(sentence)
    for problem in view.problems:
        output.line(problem)
    if not view.rows:
        return 2
    output.line()
    heads = ["pipeline", "candidates", study.measure, "95 % interval", "best order", "recall"]
    heads += ["p50", "p95", "$ for 1,000", "remark"]
    rows = [
        [
            row.label,
            f"{row.depth:,}",
            *(row.value, row.interval, row.oracle, row.recall),
            *(row.p50, row.p95, row.price, row.remark),
        ]
        for row in view.rows
    ]
    output.table([heads, *rows], right=range(1, len(heads) - 1))
    output.line()
    for spec, label in labels.items():
        if label != spec:
            output.line(f"{label}  {spec}")
    for note in view.notes:
        output.line(note)
    return 0

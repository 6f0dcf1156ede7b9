"""`rerank-lab tune`: options of a pipeline, searched on one half of the queries."""

from __future__ import annotations

import argparse

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import tuning
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.views.tuning import search_view


def tune(arguments: argparse.Namespace, output: Output) -> int:
    """Search, and report on the held-out queries."""
    table_file(arguments.table)
    engine = default_engine()
    corpus = judged_collection(arguments)
    request = tuning.request_for(
        arguments.pipeline,
        arguments.ranges,
        arguments.measure,
        limit=arguments.limit,
        seed=arguments.seed,
        trials=arguments.trials,
    )
    note_cost_estimates(tuning.cost_estimates(request, corpus, CANDIDATES, engine), output)
    study = tuning.run(request, corpus, job_context(arguments, output, engine), engine)
    write_study_table(arguments, output, study)
    view = search_view(study)
    if output.as_json:
        more = {"answer": list(view.answer), "pipeline": view.pipeline}
        output.json(study.to_json() | more | {"judgments": corpus.basis.to_json()})
        return 0
    print_basis(corpus.basis, output)
    for sentence in view.answer:
        output.line(sentence)
    output.line(f"take {view.pipeline}")
    output.line()
    output.table([["settings", f"{study.measure}, train"], *view.rows], right=[1])
    output.line()
    for note in view.notes:
        output.line(note)
    return 0

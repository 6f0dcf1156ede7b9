"""`rerank-lab grid`: the same rerankers over several first stages."""

from __future__ import annotations

import argparse

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import grid as grid_service
from rerank_lab.views.grid import grid_rows, grid_view


def grid(arguments: argparse.Namespace, output: Output) -> int:
    """Run the grid; 2 when no pair answered a single query."""
    table_file(arguments.table)
    engine = default_engine()
    corpus = judged_collection(arguments)
    request = grid_service.request_for(
        arguments.first_stages,
        arguments.rerankers,
        arguments.measure,
        depth=arguments.candidates,
        limit=arguments.limit,
    )
    note_cost_estimates(grid_service.cost_estimates(request, corpus, engine), output)
    study = grid_service.run(request, corpus, job_context(arguments, output, engine), engine)
    write_study_table(arguments, output, study)
    view = grid_view(study)
    if output.as_json:
        more = {"answer": list(view.answer), "judgments": corpus.basis.to_json()}
        output.json(study.to_json() | more)
        return 0 if study.pairs else 2
    print_basis(corpus.basis, output)
    for sentence in (*view.answer, *view.problems):
        output.line(sentence)
    if not study.pairs:
        return 2
    output.line()
    output.table(grid_rows(view), right=range(1, len(view.columns) + 1))
    output.line()
    for note in view.notes:
        output.line(note)
    return 0

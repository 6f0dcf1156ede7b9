"""`rerank-lab rag`: what pipelines put before a language model, and whether reranking helps it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.language_model import agree, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, cut, screen_width
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.cli.studies import of_experiment
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import rag as rag_studies
from rerank_lab.services.cost_estimates import CANDIDATES, query_set_estimates
from rerank_lab.services.rag import RagRequest
from rerank_lab.views.rag import HEADINGS, RagView, rag_view


def rag(arguments: argparse.Namespace, output: Output) -> int:
    """Look at the contexts; 2 when no pipeline answered a single query."""
    table_file(arguments.table)
    engine = default_engine()
    corpus, evaluation, specs = of_experiment(arguments, judged_collection(arguments), engine)
    request = RagRequest(
        specs,
        documents=arguments.documents,
        budget=arguments.budget,
        limit=arguments.limit,
        answering=judge_model(arguments) if arguments.model else None,
        answered=arguments.answers,
        grader=_grader(arguments),
    )
    rag_studies.designed(request, corpus, evaluation)
    queries = request.queries(corpus)
    note_cost_estimates(query_set_estimates(specs, queries, corpus, CANDIDATES, engine), output)
    for estimate in (
        rag_studies.answer_estimate(request, corpus, engine),
        rag_studies.grading_estimate(request, corpus, engine),
    ):
        if estimate is not None:
            agree(arguments, estimate, output)
    ctx = job_context(arguments, output, engine)
    study = rag_studies.run(request, corpus, ctx, engine, evaluation)
    write_study_table(arguments, output, study)
    view = rag_view(study)
    if output.as_json:
        judgments = corpus.basis.to_json()
        output.json(study.to_json() | {"answer": list(view.answer), "judgments": judgments})
    else:
        print_basis(corpus.basis, output)
        _print(view, output)
    return 2 if all(one.reranked is None for one in study.pipelines) else 0


def _grader(arguments: argparse.Namespace) -> JudgeModel | None:
    """The model that grades; one with another name than the one that answers has other prices."""
    if not arguments.grader:
        return None
    if arguments.grader == arguments.model:
        return judge_model(arguments)
    return replace(judge_model(arguments), model=arguments.grader, price_in=-1.0, price_out=-1.0)


def _print(view: RagView, output: Output) -> None:
    for sentence in view.answer:
        output.line(sentence)
    output.line()
    output.table([HEADINGS, *(row.cells for row in view.contexts)], right=range(1, len(HEADINGS)))
    if view.differences:
        output.line()
        heads = ["reranking against its first stage", "of", "difference", "Holm p"]
        rows = [[one.pipeline, one.figure, one.difference, one.p] for one in view.differences]
        output.table([heads, *rows], right=(2, 3))
    if view.answers:
        output.line()
        rows = [list(one.cells) for one in view.answers]
        output.table([view.answer_headings, *rows], right=range(1, len(view.answer_headings)))
    for label, example in dict(reversed(view.examples)).items():
        output.line()
        output.line(f"{label} puts {example.wrong_id} above every right document of:")
        output.line(f"  {cut(example.query, screen_width() - 4)}")
    output.line()
    for note in view.notes:
        output.line(note)

"""`rerank-lab robustness`: what small changes of queries and documents do to pipelines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.language_model import agree, judge_model
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, cut, printable, screen_width
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.cli.studies import of_experiment
from rerank_lab.evaluation.robustness.study import PerturbedExample
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import robustness as robustness_studies
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.services.evaluated_corpus import runnable
from rerank_lab.services.robustness import RobustnessRequest
from rerank_lab.views.robustness import PerturbationGroup, robustness_view


def robustness(arguments: argparse.Namespace, output: Output) -> int:
    """Try the perturbations; 2 when no pipeline answered a single query."""
    table_file(arguments.table)
    engine = default_engine()
    corpus, evaluation, specs = of_experiment(arguments, judged_collection(arguments), engine)
    request = RobustnessRequest(
        runnable(specs),
        measure=arguments.measure,
        queries=arguments.sample,
        limit=arguments.limit,
        candidates=arguments.candidates,
        perturbations=tuple(arguments.perturbations),
        seed=arguments.seed,
        rewriting=judge_model(arguments) if arguments.model else None,
    )
    estimates = robustness_studies.cost_estimates(request, corpus, CANDIDATES, engine)
    note_cost_estimates(estimates, output)
    rewriting = robustness_studies.rewriting_estimate(request, corpus, engine)
    if rewriting is not None:
        agree(arguments, rewriting, output)
    ctx = job_context(arguments, output, engine)
    study = robustness_studies.run(request, corpus, ctx, engine, evaluation)
    write_study_table(arguments, output, study)
    view = robustness_view(study)
    if output.as_json:
        judgments = corpus.basis.to_json()
        output.json(study.to_json() | {"answer": list(view.answer), "judgments": judgments})
    else:
        print_basis(corpus.basis, output)
        for sentence in view.answer:
            output.line(sentence)
        for group in (*view.of_queries, *view.of_documents):
            _print(group, output)
        output.line()
        for note in view.notes:
            output.line(note)
    return 2 if not any(one.answered for one in study.pipelines) else 0


def _print(group: PerturbationGroup, output: Output) -> None:
    """One perturbation: what it is, what it did to each pipeline, the most telling example."""
    if not group.rows:
        return
    output.line()
    output.line(f"{group.name}: {group.sentence}")
    heads = [
        "pipeline",
        "queries",
        "difference",
        "Holm p",
        "top 10 moves",
        "RBO",
        "tau",
        "other top",
    ]
    rows = [
        [
            row.label,
            str(row.queries),
            row.difference,
            row.p,
            row.moved,
            row.overlap,
            row.tau,
            row.top_changed,
        ]
        for row in group.rows
    ]
    output.table([heads, *rows], right=range(1, len(heads)))
    for row in group.rows:
        for words in (row.target, row.note):
            if words:
                output.line(f"  {row.label}: {words}")
    _print_example([example for row in group.rows for example in row.examples[:1]], output)


def _print_example(examples: Sequence[PerturbedExample], output: Output) -> None:
    for example in examples[:1]:
        rank, changed = example.rank or "–", example.changed_rank or "–"
        width = screen_width() - 12
        output.line(f"  for example {cut(example.changed_query, width)}")
        output.line(f"    {printable(example.doc_id)}: rank {rank} -> {changed}")

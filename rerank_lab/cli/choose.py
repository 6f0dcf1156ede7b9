"""`rerank-lab choose`: which pipeline of a kept experiment to take, by what a team can accept."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import replace

from rerank_lab.cli.output import Output
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.requirements import Requirements
from rerank_lab.decision.wording import headline, reasons
from rerank_lab.evaluation.experiments import load_experiment
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.decide import decide, kept_terms
from rerank_lab.services.memory import measure
from rerank_lab.views.choose import choose_view
from rerank_lab.views.evaluate import pipeline_labels

_OPEN_QUESTION = 1
"""The exit code where no pipeline is recommended."""


def choose(arguments: argparse.Namespace, output: Output) -> int:
    """Decide; 0 with a recommendation, 1 where the data cannot decide or nothing remains."""
    engine = default_engine()
    evaluation = load_experiment(arguments.experiment, engine.home)
    corpus = _corpus(arguments.corpus, evaluation.design.corpus)
    if arguments.measure_memory:
        ctx = Context(progress=output.progress)
        for spec, problem in measure(evaluation, ctx, engine, arguments.corpus).problems.items():
            output.note(f"The memory of {spec} is not measured. {problem}")
    decision = decide(
        evaluation, engine, _required(arguments, kept_terms(evaluation.id, engine)), corpus=corpus
    )
    names = pipeline_labels(evaluation.design.pipelines)[0]
    if output.as_json:
        output.json(
            decision.to_json()
            | {"headline": headline(decision, names), "reasons": list(reasons(decision, names))}
        )
    else:
        _print(decision, output)
    return 0 if decision.verdict == "recommended" else _OPEN_QUESTION


def _corpus(path: str, name: str) -> Corpus | None:
    """The documents, for what providers bill; None where they are not here any more."""
    if path:
        return load_corpus(path)
    with suppress(LabError):
        return load_corpus(name)
    return None


def _required(arguments: argparse.Namespace, terms: CostTerms) -> Requirements:
    """The limits; what is not said of load and prices is as it was typed before."""
    if arguments.queries_per_month is not None:
        terms = replace(terms, queries_per_month=arguments.queries_per_month)
    if arguments.usd_per_hour is not None:
        terms = replace(terms, usd_per_hour=arguments.usd_per_hour)
    return Requirements(
        arguments.measure or "",
        arguments.margin,
        arguments.p95,
        arguments.price,
        arguments.licence,
        tuple(arguments.languages or ()),
        arguments.local,
        arguments.no_gpu,
        arguments.memory,
        terms,
    )


def _print(decision: PipelineDecision, output: Output) -> None:
    view = choose_view(decision)
    output.line(view.headline)
    for sentence in (*view.reasons, *view.steps):
        output.line(f"  {sentence}")
    output.line()
    output.table(
        [
            ["pipeline", *view.headings],
            *([label, *(cell.text for cell in cells)] for _, label, cells in view.rows),
        ]
    )
    for line in view.fallen:
        output.line()
        output.line(f"{line.label} fell:")
        for reason in line.lines:
            output.line(f"  {reason}")

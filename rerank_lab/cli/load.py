"""`rerank-lab load`: a pipeline, or a server at an address, under load."""

from __future__ import annotations

import argparse
import os

from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output
from rerank_lab.cli.reading import open_collection
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import load_experiment
from rerank_lab.evaluation.load.run import LoadPlan
from rerank_lab.evaluation.load.study import LoadStudy
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import load as loads
from rerank_lab.services.load import LoadRequest
from rerank_lab.services.own_pipelines import own_pipelines
from rerank_lab.views import load as views


def load(arguments: argparse.Namespace, output: Output) -> int:
    """Measure each pipeline, or the address, one after the other."""
    table_file(arguments.table)
    engine = default_engine()
    corpus = open_collection(arguments)
    specs = [pipeline.spec for pipeline in pipelines(arguments.pipelines)]
    if arguments.experiment:
        specs = _of_experiment(arguments.experiment, specs, corpus, engine)
    if bool(specs) == bool(arguments.address):
        raise InvalidInput(
            "Give pipelines with -p, or an address with --address.", hint="Exactly one of them."
        )
    ctx = job_context(arguments, output, engine)
    plan = _plan(arguments)
    if arguments.address:
        key = os.environ.get(arguments.key_variable, "") if arguments.key_variable else ""
        studies = [loads.run_address(arguments.address, plan, corpus, arguments.depth, ctx, key)]
    else:
        studies = [
            loads.run(
                LoadRequest(spec, plan, arguments.experiment, arguments.limit), corpus, ctx, engine
            )
            for spec in specs
        ]
    write_study_table(arguments, output, *studies)
    if output.as_json:
        output.json({"studies": [study.to_json() for study in studies]})
        return 0
    for study in studies:
        _print(study, output)
    return 0


def _of_experiment(
    experiment_id: str, specs: list[PipelineSpec], corpus: Corpus, engine: Engine
) -> list[PipelineSpec]:
    """The pipelines to measure for an experiment: those named, else all that run here.

    Raises InvalidInput when it has no such pipeline, or was run on other documents.
    """
    evaluation = load_experiment(experiment_id, engine.home)
    if corpus.content_hash != evaluation.design.corpus_hash:
        raise InvalidInput(
            f"The experiment was run on other documents than {corpus.name!r} holds.",
            hint=f"Give its corpus, {evaluation.design.corpus!r}, as it was then.",
        )
    known = own_pipelines(evaluation)
    strangers = [str(spec) for spec in specs if spec not in known]
    if strangers:
        raise InvalidInput(
            f"The experiment has no pipeline {strangers[0]}.",
            hint=f"It has: {'; '.join(map(str, known))}.",
        )
    return specs or list(known)


def _plan(arguments: argparse.Namespace) -> LoadPlan:
    return LoadPlan(
        rate=arguments.rate,
        seconds=arguments.seconds,
        workers=arguments.workers,
        arrivals=arguments.arrivals,
        seed=arguments.seed,
        bound=arguments.p95,
        tries=arguments.tries,
        by_core=arguments.by_core,
    )


def _print(study: LoadStudy, output: Output) -> None:
    output.line(study.pipeline)
    output.line(views.load_sentence(study))
    output.table([views.HEADINGS, *views.step_rows(study)], right=range(len(views.HEADINGS)))
    for line in (views.start_line(study), *views.throughput_lines(study)):
        if line:
            output.line(line)
    output.line(views.conditions_line(study))
    output.line(views.machine_line(study.machine))
    for note in views.load_notes(study):
        output.line(note)
    output.line()

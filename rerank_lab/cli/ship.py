"""`rerank-lab ship`: a pipeline as code, requests and golden cases, in a folder."""

from __future__ import annotations

import argparse

from rerank_lab.cli.experiment import named_experiment
from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.paths import user_path
from rerank_lab.core.storage import write_file
from rerank_lab.decision.shipping.golden import GoldenTerms
from rerank_lab.decision.shipping.shipment import Shipment
from rerank_lab.evaluation.experiments import Evaluation, load_experiment
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.decide import decide
from rerank_lab.services.experiment_runs import corpus_of, terms_of
from rerank_lab.services.experiments import ExperimentFilter, listed
from rerank_lab.services.shipping import shipments


def ship(arguments: argparse.Namespace, output: Output) -> int:
    """Write every form asked for; those that do not exist for the pipeline say why."""
    folder = user_path(arguments.output)
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"--output: {folder} is a file.", hint="Name a folder.")
    chosen = _shipments(arguments, default_engine())
    if arguments.forms:
        chosen = tuple(one for one in chosen if one.form in arguments.forms)
    written = []
    for one in chosen:
        for file in one.files:
            write_file(folder / file.name, file.content)
            written.append(folder / file.name)
    absent = {one.form: one.absence for one in chosen if one.absence}
    if output.as_json:
        output.json({"written": [str(path) for path in written], "absent": absent})
    else:
        for path in written:
            output.line(f"wrote {path}")
        for form, why in absent.items():
            output.line(f"not as {form}: {why}")
    return 0 if written else 2


def _shipments(arguments: argparse.Namespace, engine: Engine) -> tuple[Shipment, ...]:
    source = arguments.source
    golden = GoldenTerms(queries=arguments.queries, places=arguments.places)
    kept = listed(ExperimentFilter(archived=True), engine.home)
    is_experiment = any(one.id.startswith(source) for one in kept)
    if not is_experiment and not source.casefold().endswith((".yaml", ".yml")):
        if arguments.pipeline:
            raise InvalidInput(
                f"{source!r} is no experiment, so it has no pipeline {arguments.pipeline!r}.",
                hint="See: rerank-lab experiment list",
            )
        return shipments(Pipeline(source).spec)
    evaluation = load_experiment(named_experiment(source, engine), engine.home)
    names = terms_of(evaluation, engine.home).names
    spec = _chosen(evaluation, arguments.pipeline, names, engine)
    name = "" if names[spec] == spec else names[spec]
    corpus = corpus_of(evaluation, engine.home)
    return shipments(Pipeline(spec).spec, evaluation, corpus, name, golden)


def _chosen(evaluation: Evaluation, wanted: str, names: dict[str, str], engine: Engine) -> str:
    """The spec of the pipeline to ship: the one named, else the one that the decision takes."""
    by_name = {name: spec for spec, name in names.items()}
    if wanted:
        spec = by_name.get(wanted, wanted)
        if spec not in names:
            raise InvalidInput(
                f"The experiment has no pipeline {wanted!r}{nearest(wanted, by_name)}.",
                hint=f"Its pipelines are {', '.join(by_name)}.",
            )
        return spec
    if len(names) == 1:
        return next(iter(names))
    decision = decide(evaluation, engine)
    if decision.verdict != "recommended":
        raise InvalidInput(
            "The experiment cannot decide which pipeline to take.",
            hint=f"Name one with -p: {', '.join(by_name)}.",
        )
    return decision.pipeline

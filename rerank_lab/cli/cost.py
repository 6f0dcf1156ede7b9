"""`rerank-lab cost`: what pipelines cost at a load."""

from __future__ import annotations

import argparse

from rerank_lab.cli.files import table_file, write_study_table
from rerank_lab.cli.output import Output
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.cost import CostStudy, CostTerms, TypedCapacity, TypedPrice
from rerank_lab.evaluation.experiments import Evaluation, load_experiment
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services import cost as costing
from rerank_lab.services.cost import CostRequest
from rerank_lab.services.load import load_studies
from rerank_lab.views import cost as views
from rerank_lab.views.labels import numbered


def cost(arguments: argparse.Namespace, output: Output) -> int:
    """Of an experiment, by what it measured; or of pipelines on a corpus, by what is typed."""
    specs = [pipeline.spec for pipeline in pipelines(arguments.pipelines)]
    if bool(specs) == bool(arguments.experiment):
        raise InvalidInput(
            "Give pipelines with -p, or an experiment with --experiment.", hint="Exactly one."
        )
    table_file(arguments.table)
    engine = default_engine()
    if arguments.experiment:
        evaluation = load_experiment(arguments.experiment, engine.home)
        names = evaluation.design.pipelines
        studies = load_studies(arguments.experiment, engine.home)
        terms = _terms(arguments, names)
        corpus = _corpus_of(arguments, evaluation)
        costs = costing.pipeline_costs(
            evaluation, engine, terms, corpus=corpus, load_studies=studies
        )
        study = CostStudy(terms, tuple(costs.values()))
        costing.keep(study, arguments.experiment, engine.home)
    else:
        if not arguments.corpus:
            raise InvalidInput("No corpus is given.", hint="rerank-lab cost CORPUS -p SPEC")
        terms = _terms(arguments, [str(spec) for spec in specs])
        request = CostRequest(tuple(specs), terms)
        study = costing.run(request, load_corpus(arguments.corpus), engine)
    write_study_table(arguments, output, study)
    if output.as_json:
        figures = [
            {"pipeline": one.pipeline, "usd_per_thousand": one.usd_per_thousand,
             "usd_per_month": one.usd_per_month, "machines": one.machines,
             "as_of": one.as_of, "unknown": list(one.unknown), "left_out": one.left_out}
            for one in study.costs
        ]  # fmt: skip
        output.json({"costs": figures, "study": study.to_json()})
        return 0
    _print(study, output)
    return 0


def _corpus_of(arguments: argparse.Namespace, evaluation: Evaluation) -> Corpus:
    """The corpus that is named, else the one of the experiment."""
    return load_corpus(arguments.corpus or evaluation.design.corpus)


def _terms(arguments: argparse.Namespace, specs: tuple[str, ...] | list[str]) -> CostTerms:
    """What the options say. Raises InvalidInput for a price that cannot be read."""
    if arguments.peak < 1:
        raise InvalidInput(
            f"--peak {arguments.peak:g}: the busiest hour has at least the mean load.",
            hint="Give 1 or more.",
        )
    capacities = tuple(TypedCapacity(spec, arguments.capacity) for spec in specs)
    return CostTerms(
        arguments.queries_per_month,
        arguments.peak,
        arguments.usd_per_hour,
        tuple(map(_price, arguments.price)),
        capacities if arguments.capacity else (),
    )


def _price(text: str) -> TypedPrice:
    name, _, amount = text.rpartition("=")
    model, _, option = name.rpartition(":")
    option = option if model else "price"
    try:
        value = float(amount)
    except ValueError:
        value = -1.0
    if option not in costing.PRICE_OPTIONS or not (model or name) or not 0 <= value < 1e6:
        raise InvalidInput(
            f"--price {text} is not a price.",
            hint="Write MODEL=USD for one unit billed, or MODEL:price_in=USD and "
            "MODEL:price_out=USD for a million tokens.",
        )
    return TypedPrice(model or name, option, value)


def _print(study: CostStudy, output: Output) -> None:
    labels = numbered([one.pipeline for one in study.costs])
    output.line(views.cost_sentence(study.costs, labels))
    output.table([views.HEADINGS, *views.cost_rows(study.costs, labels)], right=range(1, 7))
    for label, spec in ((labels[one.pipeline], one.pipeline) for one in study.costs):
        if label != spec:
            output.line(f"{label} {spec}")
    for line in (
        *views.break_even_lines(study.costs, labels),
        *views.unknown_lines(study.costs, labels),
        *views.provider_lines(study.costs, labels),
    ):
        output.line(line)

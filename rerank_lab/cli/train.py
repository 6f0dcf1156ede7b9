"""`rerank-lab train`: a learned fusion from judgments."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

from rerank_lab.cli.cost_estimate import note_cost_estimates
from rerank_lab.cli.limits import job_context
from rerank_lab.cli.output import Output, number
from rerank_lab.cli.reading import judged_collection, print_basis
from rerank_lab.fusion.learned.model import FIRST, MODEL, SIGNAL, LearnedModel
from rerank_lab.fusion.learned.settings import DEFAULT_SETTINGS
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import train as trainings
from rerank_lab.services.cost_estimates import CANDIDATES
from rerank_lab.services.train import TrainingRequest
from rerank_lab.views.train import comparisons, train_view

_SHOWN = 10


def train(arguments: argparse.Namespace, output: Output) -> int:
    """Train, keep, and print what validation says."""
    engine = default_engine()
    corpus = judged_collection(arguments)
    chosen_settings = {"rounds": arguments.rounds, "leaves": arguments.leaves}
    settings = replace(
        DEFAULT_SETTINGS,
        learner=arguments.learner,
        seed=arguments.seed,
        **{name: value for name, value in chosen_settings.items() if value},
    )
    request = TrainingRequest(
        Pipeline(arguments.pipeline).spec,
        arguments.name,
        settings=settings,
        folds=arguments.folds,
        language=arguments.language,
        replace=arguments.replace,
        limit=arguments.limit,
    )
    trainings.planned(request, corpus, engine)
    note_cost_estimates(trainings.cost_estimates(request, corpus, CANDIDATES, engine), output)
    model = trainings.run(
        request,
        corpus,
        job_context(arguments, output, engine),
        engine,
    )
    if output.as_json:
        model_values = model.to_json()
        compared = {name: asdict(one) for name, one in comparisons(model).items()}
        output.json(
            {"model": model_values | {"trees": len(model.trees)}, "pipeline": model.spec}
            | {"comparisons": compared, "judgments": corpus.basis.to_json()}
        )
    else:
        print_basis(corpus.basis, output)
        _print(model, output)
    return 0


def _print(model: LearnedModel, output: Output) -> None:
    view = train_view(model)
    output.line(view.sentence)
    for note in view.notes:
        output.line(f"  note: {note}")
    output.line()
    rows = [
        [str(place), str(fold.queries), *map(number, (fold.model, fold.signal, fold.before))]
        for place, fold in enumerate(model.validation.folds, 1)
    ]
    means = [number(model.validation.mean(name)) for name in (MODEL, SIGNAL, FIRST)]
    rows.append(["all", str(len(model.origin.query_ids)), *means])
    head = ["fold", "queries", "model", view.best, "order before"]
    output.table([head, *rows], right=range(1, 5))
    output.line()
    output.line(view.method)
    output.line()
    gains = [[one.feature, f"{one.gain:.1%}"] for one in model.importances[:_SHOWN] if one.gain]
    output.table([["feature", "share of gain"], *gains], right=[1])
    output.line()
    output.line(f"kept as {model.name}; use it as: {model.spec}")

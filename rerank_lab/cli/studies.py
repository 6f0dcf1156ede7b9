"""What the commands that study an experiment share: its pipelines, queries and judgments."""

from __future__ import annotations

import argparse

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation, load_experiment
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import pipelines
from rerank_lab.services.evaluated_corpus import evaluated_corpus


def of_experiment(
    arguments: argparse.Namespace, corpus: Corpus, engine: Engine
) -> tuple[Corpus, Evaluation | None, tuple[str, ...]]:
    """The corpus as it was evaluated, the evaluation of `--experiment`, and the specs to study.

    Pipelines that are named take the place of those of the experiment.

    Raises:
        InvalidInput: neither pipelines nor an experiment are named, there is none of this id, or
            the corpus holds other documents than it was run on.
    """
    named = tuple(map(str, pipelines(arguments.pipelines)))
    if not arguments.experiment:
        if not named:
            raise InvalidInput(
                "No pipeline is named.", hint='Give one with -p, such as -p "bm25 >> overlap".'
            )
        return corpus, None, named
    evaluation = load_experiment(arguments.experiment, engine.home)
    return evaluated_corpus(evaluation, corpus), evaluation, named or evaluation.design.pipelines

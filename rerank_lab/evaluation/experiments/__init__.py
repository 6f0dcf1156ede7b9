"""Experiments: a query set through several pipelines, kept as it goes, resumed, compared.

evaluation = evaluate(load_corpus("helpdesk"), ["bm25", "bm25 >> ms-marco-minilm-l12"])
evaluation.outcomes[0].measures["nDCG@10"]
"""

from __future__ import annotations

from rerank_lab.evaluation.experiments.cells import Cell, Design, Failure
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score
from rerank_lab.evaluation.experiments.outcomes import ErrorGroup, Latency, Outcome
from rerank_lab.evaluation.experiments.run import Experiment, asked_queries, evaluate, plan, run
from rerank_lab.evaluation.experiments.store import (
    ExperimentEntry,
    delete_experiment,
    list_experiments,
    load_experiment,
)

__all__ = [
    "Cell",
    "Design",
    "ErrorGroup",
    "Evaluation",
    "Experiment",
    "ExperimentEntry",
    "Failure",
    "Latency",
    "Outcome",
    "asked_queries",
    "delete_experiment",
    "evaluate",
    "list_experiments",
    "load_experiment",
    "plan",
    "run",
    "score",
]

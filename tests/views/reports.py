"""Reports of small evaluations made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.decision.requirements import OPEN, Requirements
from rerank_lab.evaluation.depth.study import DepthCurve, DepthPoint, DepthStudy
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.grid.study import FirstStageCeiling, GridPair, GridStudy
from rerank_lab.evaluation.load.study import LoadStep, LoadStudy, Percentile
from rerank_lab.evaluation.studies import Study
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.cost import pipeline_costs
from rerank_lab.services.decide import decide
from rerank_lab.services.report import ReportEvidence


def evidence_of(
    evaluation: Evaluation,
    *,
    documents: Sequence[Document] = (),
    required: Requirements = OPEN,
    studies: tuple[Study, ...] = (),
) -> ReportEvidence:
    """What `services.report.evidence` collects, without a data folder."""
    primary, baseline = evaluation.compared_by()
    engine = default_engine()
    corpus = Corpus("hand made", tuple(documents)) if documents else None
    decision = decide(evaluation, engine, required, corpus=corpus)
    costs = tuple(pipeline_costs(evaluation, engine, required.terms).values())
    problem = "" if corpus else "There is no corpus 'hand made' here."
    return ReportEvidence(
        evaluation, primary, baseline, decision, studies, corpus, problem, costs=costs
    )


def kept_studies(*pipelines: str) -> tuple[Study, ...]:
    """A depth study and a load study of these pipelines, and a small grid."""
    points = tuple(
        DepthPoint(depth, depth, 0.4 + depth / 500, 0.3, 0.6, 0.8, 0.9, 0.01 * depth, 0.02 * depth)
        for depth in (5, 20, 50)
    )
    curves = tuple(DepthCurve(spec, True, True, "measured", points) for spec in pipelines)
    depth = DepthStudy("hand made", "hash", "RR@10", 12, (5, 20, 50), curves)
    times = (Percentile(0.2), Percentile(0.31, 0.25, 0.4), Percentile(2.5, at_least=True))
    step = LoadStep(
        5.0, 60.0, 300, 300, 0, 0, 10, 0.22, *times, 0.02, 0.6, 0.001, 5.0, 500.0, 90_000.0
    )
    load = LoadStudy(pipelines[-1], "hand made", 5.0, 60.0, 2, "poisson", 0, (step,))
    pairs = tuple(
        GridPair("bm25", name, spec, 0.4 + 0.1 * place, 0.3, 0.6)
        for place, (name, spec) in enumerate((("", "bm25"), ("identity", "bm25 >> identity")))
    )
    ceiling = FirstStageCeiling("bm25", 50.0, 0.8, 0.9)
    grid = GridStudy(
        "hand made", "hash", "RR@10", 12, 1.0, ("bm25",), ("identity",), (ceiling,), pairs,
        ("bm25 >> identity",), {},
    )  # fmt: skip
    return (
        _kept("depth", depth.to_json()),
        _kept("load", load.to_json()),
        _kept("grid", grid.to_json()),
    )


def _kept(kind: str, result: dict[str, Any]) -> Study:
    return Study("0123456789abcdef", kind, f"{kind}0123", 1_795_600_000.0, {}, result)

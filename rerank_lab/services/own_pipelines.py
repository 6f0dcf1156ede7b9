"""The pipelines of an experiment that can run here: not the runs of other systems beside them."""

from __future__ import annotations

from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.cells import of_another_system
from rerank_lab.pipeline.pipeline import Pipeline


def own_pipelines(evaluation: Evaluation) -> tuple[PipelineSpec, ...]:
    """Those whose spec is one of this lab, in the order of the design."""
    specs = []
    for text in evaluation.design.pipelines:
        try:
            specs.append(Pipeline(text).spec)
        except LabError:
            continue
    return tuple(specs)


def runs_here(pipeline: str) -> bool:
    """Whether the lab itself makes these rankings: not of a run file alone, nor of another name."""
    try:
        Pipeline(pipeline)
    except LabError:
        return False
    return not of_another_system(pipeline)

"""The pipelines of an experiment that can run here: not the runs of other systems beside them."""

from __future__ import annotations

from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.evaluation.experiments import Evaluation
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

"""Reports of small evaluations made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.decision.requirements import OPEN, Requirements
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.studies import Study
from rerank_lab.pipeline.engine import default_engine
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
    decision = decide(evaluation, default_engine(), required)
    corpus = Corpus("hand made", tuple(documents)) if documents else None
    problem = "" if corpus else "There is no corpus 'hand made' here."
    return ReportEvidence(evaluation, primary, baseline, decision, studies, corpus, problem)

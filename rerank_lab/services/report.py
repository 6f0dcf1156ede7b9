"""What a decision report is made of: an experiment, the decision, its studies, its documents.

Nothing is run: what was not studied is missing here, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.cost import DEFAULT_TERMS, PipelineCost
from rerank_lab.decision.requirements import OPEN, Requirements
from rerank_lab.evaluation.experiments import Evaluation, load_experiment
from rerank_lab.evaluation.experiments.environment import Environment
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.evaluation.studies import Study, studies
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.cost import cost_study, pipeline_costs
from rerank_lab.services.decide import decide
from rerank_lab.services.experiment_runs import names_of
from rerank_lab.services.load import load_studies
from rerank_lab.services.qrels import lab_labels, source_of, with_judgments


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """A report on a kept experiment.

    Attributes:
        experiment_id: Of the experiment.
        primary: The measure that pipelines are compared by; "" for the first.
        baseline: The pipeline that others are compared with; "" for the first.
        required: What the team can accept. Its measure is `primary`, unless that is "".
        corpus: The documents, where they are at hand; else they are opened by the corpus' name.
    """

    experiment_id: str
    primary: str = ""
    baseline: str = ""
    required: Requirements = OPEN
    corpus: Corpus | None = None


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """Everything that a report shows.

    Attributes:
        evaluation: The experiment, finished or not.
        primary: The measure that pipelines are compared by.
        baseline: The pipeline that others are compared with.
        decision: What to take, under which requirements.
        studies: What else is known of the experiment, the newest first.
        corpus: The documents as they were, with the judgments that count; None when they are not
            here, and `corpus_problem` then says why.
        labelled: Whether the lab holds labels of the corpus.
        costs: Of every pipeline, at the load of the requirements.
        environments: Where the answers came from, oldest first; () where that is not known.
        names: How the team calls its pipelines, by spec; {} where it has no names for them.
    """

    evaluation: Evaluation
    primary: str
    baseline: str
    decision: PipelineDecision
    studies: tuple[Study, ...]
    corpus: Corpus | None
    corpus_problem: str = ""
    labelled: bool = False
    costs: tuple[PipelineCost, ...] = ()
    environments: tuple[Environment, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def evidence(request: ReportRequest, engine: Engine) -> ReportEvidence:
    """Collect what a report shows, without running anything.

    Args:
        request: What is wanted.
        engine: Where components come from, with the data folder.

    Raises:
        InvalidInput: There is no such experiment, or it has no such measure or pipeline.
        LabError: The data folder or the lab database cannot be read.
    """
    evaluation = load_experiment(request.experiment_id, engine.home)
    primary, baseline = _compared_by(evaluation, request)
    corpus, problem = _corpus(evaluation, request.corpus, engine)
    required = _required(evaluation, replace(request.required, measure=primary), engine)
    loads = load_studies(evaluation.id, engine.home)
    costs = pipeline_costs(evaluation, engine, required.terms, corpus=corpus, load_studies=loads)
    names = names_of(evaluation, engine.home)
    return ReportEvidence(
        evaluation,
        primary,
        baseline,
        decide(evaluation, engine, required, corpus=corpus),
        tuple(studies(evaluation.id, home=engine.home)),
        corpus,
        problem,
        corpus is not None and lab_labels(corpus, engine.home).by_people,
        tuple(costs.values()),
        ExperimentRecord(evaluation.id, engine.home).environments(),
        {spec: name for spec, name in names.items() if name != spec},
    )


def _required(evaluation: Evaluation, required: Requirements, engine: Engine) -> Requirements:
    """The requirements, with the load and prices that were kept where none are given."""
    kept = cost_study(evaluation.id, engine.home)
    if kept is None or required.terms != DEFAULT_TERMS:
        return required
    return replace(required, terms=kept.terms)


def _compared_by(evaluation: Evaluation, request: ReportRequest) -> tuple[str, str]:
    """The measure and the baseline. Raises InvalidInput for names that the evaluation lacks."""
    design = evaluation.design
    primary = request.primary or request.required.measure
    for name, known, noun in (
        (primary, design.measures, "measure"),
        (request.baseline, design.pipelines, "pipeline"),
    ):
        if name and name not in known:
            raise InvalidInput(
                f"This experiment has no {noun} {name!r}.", hint=f"It has {', '.join(known)}."
            )
    return evaluation.compared_by(primary, request.baseline)


def _corpus(
    evaluation: Evaluation, corpus: Corpus | None, engine: Engine
) -> tuple[Corpus | None, str]:
    """The documents of an experiment, or None and why they are not here."""
    design = evaluation.design
    try:
        opened = load_corpus(design.corpus) if corpus is None else corpus
        if opened.content_hash != design.corpus_hash:
            return None, f"{design.corpus} holds other documents now than in this experiment."
        return with_judgments(opened, source_of(design.basis), engine.home), ""
    except LabError as error:
        return None, error.message

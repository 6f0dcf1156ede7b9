"""Robustness as a use case: what small changes of queries and documents do to pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation, asked_queries
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.robustness.paraphrase import (
    paraphrase_by,
    paraphrase_messages,
    read_paraphrase,
)
from rerank_lab.evaluation.robustness.perturbations import QueryPerturbation
from rerank_lab.evaluation.robustness.registry import perturbations
from rerank_lab.evaluation.robustness.run import RobustnessDesign, study_robustness
from rerank_lab.evaluation.robustness.study import STUDY_KIND, RobustnessStudy
from rerank_lab.evaluation.studies import save_study
from rerank_lab.jobs.table import Job
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.rerankers.llm.messages import tokens
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import Estimates, query_set_estimates
from rerank_lab.services.evaluated_corpus import runnable
from rerank_lab.services.model_answers import (
    asked_model,
    bound_with,
    context_with,
    model_answers,
)
from rerank_lab.services.session import Session
from rerank_lab.services.study_jobs import StudyKey, jobs_of_kind, kept_studies, start_study

QUERIES = 30
"""So many queries are asked unless the request says otherwise: each is asked many times."""
CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class RobustnessRequest:
    """Try perturbations on pipelines.

    Attributes:
        measure: by which rankings are compared.
        queries: how many, drawn from the judged ones by `seed`.
        limit: draw from the first so many only.
        candidates: how many candidates rerankers are given at most where documents are changed.
        perturbations: names; () for all.
        seed: of the sample and of all changes.
        rewriting: the language model that says queries in other words; None for none. Its `prompt`
            is not looked at.
    """

    pipelines: tuple[PipelineSpec, ...]
    measure: str = "nDCG@10"
    queries: int = QUERIES
    limit: int | None = None
    candidates: int = CANDIDATES
    perturbations: tuple[str, ...] = ()
    seed: int = 0
    rewriting: JudgeModel | None = None

    def sample(self, corpus: Corpus) -> tuple[Query, ...]:
        """The queries to ask, in the order of the corpus."""
        every = asked_queries(corpus.queries, corpus.qrels)[: self.limit]
        if len(every) <= self.queries:
            return every
        places = Random(f"{self.seed}/queries").sample(range(len(every)), self.queries)
        return tuple(every[place] for place in sorted(places))

    def to_json(self) -> dict[str, object]:
        """What is kept of it with the study."""
        return {
            "pipelines": [str(spec) for spec in self.pipelines],
            "measure": self.measure,
            "queries": self.queries,
            "limit": self.limit,
            "candidates": self.candidates,
            "perturbations": list(self.perturbations),
            "seed": self.seed,
            "rewriter": self.rewriting.model if self.rewriting else "",
        }


def request_for(evaluation: Evaluation, measure: str = "") -> RobustnessRequest:
    """The request for the pipelines of an evaluation, by one of its measures.

    Raises:
        InvalidInput: none of the pipelines can be run here.
    """
    primary = evaluation.compared_by(measure)[0]
    return RobustnessRequest(runnable(evaluation.design.pipelines), primary)


def designed(request: RobustnessRequest, corpus: Corpus) -> RobustnessDesign:
    """The study that a request asks for, checked without any work.

    Raises:
        InvalidInput: there is no query, or a name, a number or a measure is none.
    """
    parse_measures([request.measure])
    queries = request.sample(corpus)
    if not queries:
        raise InvalidInput(
            f"There is no query to change in {corpus.name!r}.",
            hint="Give a query file, or choose a corpus that has queries.",
        )
    if request.candidates < 2:
        raise InvalidInput(
            f"{request.candidates} candidates cannot change places.", hint="Give 2 or more."
        )
    return RobustnessDesign(
        tuple(map(Pipeline, request.pipelines)),
        queries,
        {query.id: corpus.qrels.get(query.id, {}) for query in queries},
        request.measure,
        perturbations(request.perturbations, with_model=request.rewriting is not None),
        request.candidates,
        request.seed,
    )


def cost_estimates(
    request: RobustnessRequest, corpus: Corpus, depth: int, engine: Engine
) -> Mapping[str, Estimates]:
    """By pipeline, what all changes would take at most of the providers that it asks."""
    design = designed(request, corpus)
    of_queries = sum(isinstance(one, QueryPerturbation) for one in design.perturbations)
    of_documents = len(design.perturbations) - of_queries
    rounds = 1 + of_queries + (1 + of_documents if of_documents else 0)
    once = query_set_estimates(request.pipelines, design.queries, corpus, depth, engine)
    return {spec: tuple(one.times(rounds) for one in stages) for spec, stages in once.items()}


def run(
    request: RobustnessRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> RobustnessStudy:
    """Try everything here and now, and keep the study with the evaluation if one is named.

    Raises:
        InvalidInput: as `designed`.
        SpendLimit, MissingKey: the language model cannot be asked.
        BackendError: its endpoint failed several times in a row.
        Cancelled: scores and answers of models that were asked are kept.
    """
    study = _run(designed(request, corpus), request, corpus, ctx, engine)
    if evaluation is not None:
        save_study(evaluation.id, STUDY_KIND, request.to_json(), study.to_json(), engine.home)
    return study


def _run(
    design: RobustnessDesign,
    request: RobustnessRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
) -> RobustnessStudy:
    """The study, with paraphrases written beforehand where a language model is named."""
    model = request.rewriting
    if model is None or not any(one.needs_model for one in design.perturbations):
        return study_robustness(design, corpus, ctx, engine)
    texts = [query.text for query in design.queries]
    prompts = [paraphrase_messages(text) for text in texts]
    asked = asked_model(model, engine)
    written = model_answers(asked, prompts, read_paraphrase, ctx, "writing paraphrases")
    paraphrase = paraphrase_by(
        {text: other for text, other in zip(texts, written, strict=True) if other is not None}
    )
    changes = tuple(paraphrase if one.needs_model else one for one in design.perturbations)
    study = study_robustness(replace(design, perturbations=changes), corpus, ctx, engine)
    return replace(study, rewriter=model.model)


def rewriting_estimate(
    request: RobustnessRequest, corpus: Corpus, engine: Engine
) -> CostEstimate | None:
    """What paraphrases take of the language model at most; None when none is to be asked."""
    design = designed(request, corpus)
    if request.rewriting is None or not any(one.needs_model for one in design.perturbations):
        return None
    prompts = [paraphrase_messages(query.text) for query in design.queries]
    asked = asked_model(request.rewriting, engine)
    return asked.estimate(len(prompts), sum(map(tokens, prompts)))


@dataclass(frozen=True, slots=True)
class RobustnessKey(StudyKey[RobustnessRequest, RobustnessStudy]):
    """A study of an experiment's pipelines."""


@needs(Action.EDIT, "experiment_id")
def start(
    request: RobustnessRequest, experiment_id: str, corpus: Corpus, session: Session
) -> Job[RobustnessStudy]:
    """The job of a study, which is kept with the experiment once it is done.

    Raises:
        InvalidInput: as `designed`.
    """
    design = designed(request, corpus)
    engine, model = session.engine, request.rewriting

    return start_study(
        RobustnessKey(experiment_id, request, bound_with(session, design.pipelines, model)),
        lambda ctx: _run(design, request, corpus, ctx, engine),
        session,
        kind=STUDY_KIND,
        name=f"Robustness on {corpus.name}",
        ctx=context_with(session, design.pipelines, model),
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[RobustnessStudy]]:
    """The robustness jobs of an experiment, oldest first."""
    return jobs_of_kind(RobustnessKey, experiment_id, session)


def robustness_studies(experiment_id: str, home: Path | None = None) -> tuple[RobustnessStudy, ...]:
    """The kept studies of an experiment, the newest first."""
    return kept_studies(STUDY_KIND, RobustnessStudy.from_json, experiment_id, home)

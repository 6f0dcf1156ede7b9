"""Contexts for language models as a use case: does reranking help what is put before them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation, asked_queries
from rerank_lab.evaluation.rag.answers import (
    ModelAnswer,
    answer_figures,
    answer_messages,
    read_model_answer,
    reference_answers,
    right_values,
)
from rerank_lab.evaluation.rag.contexts import QueryContext
from rerank_lab.evaluation.rag.run import PipelineRankings, RagDesign, RagRun, first_stage_of
from rerank_lab.evaluation.rag.study import RAG_KIND, PipelineContexts, RagStudy
from rerank_lab.evaluation.statistics import holm, paired
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.judging.llm_judge.answers import AnswerCache
from rerank_lab.judging.llm_judge.asking import AskedModel, JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.remote.gather import gather
from rerank_lab.remote.urls import host_of
from rerank_lab.rerankers.base import Work
from rerank_lab.services.session import Bound, Session

DOCUMENTS = 5
"""So many documents are put before a language model unless the request says otherwise."""
ANSWERED_QUERIES = 30
MOST_FAILURES = 5
"""Failures one after another, after which the endpoint is taken to be out of order."""


@dataclass(frozen=True, slots=True)
class RagRequest:
    """Look at the contexts that pipelines make.

    Attributes:
        pipelines: specs.
        documents: how many a context holds at most.
        budget: tokens that it holds at most, 0 for no bound.
        limit: only the first so many judged queries.
        answering: the language model that answers the queries with reference answers; None for
            none. Its `prompt` is not looked at.
        answered: how many of these queries it is asked at most, the first ones.
    """

    pipelines: tuple[str, ...]
    documents: int = DOCUMENTS
    budget: int = 0
    limit: int | None = None
    answering: JudgeModel | None = None
    answered: int = ANSWERED_QUERIES

    def queries(self, corpus: Corpus) -> tuple[Query, ...]:
        """The judged queries; all of them when none is judged."""
        return asked_queries(corpus.queries, corpus.qrels)[: self.limit]

    def referenced(self, corpus: Corpus) -> tuple[Query, ...]:
        """The queries with reference answers that are put to the language model."""
        with_answers = [query for query in self.queries(corpus) if reference_answers(query)]
        return tuple(with_answers[: self.answered])

    def to_json(self) -> dict[str, object]:
        """What is kept of it with the study."""
        return {
            "pipelines": list(self.pipelines),
            "documents": self.documents,
            "budget": self.budget,
            "limit": self.limit,
            "answer_model": self.answering.model if self.answering else "",
            "answered": self.answered if self.answering else 0,
        }


def designed(
    request: RagRequest, corpus: Corpus, evaluation: Evaluation | None = None
) -> RagDesign:
    """The study that a request asks for, checked without any work.

    Args:
        request: what to look at.
        corpus: with its queries and judgments.
        evaluation: whose rankings are taken where the corpus is not cut into passages.

    Raises:
        InvalidInput: nothing is judged, or a language model has no reference answers to meet.
    """
    queries = request.queries(corpus)
    if not any(corpus.qrels.get(query.id) for query in queries):
        raise InvalidInput(
            f"No query of {corpus.name!r} is judged: nothing tells right documents from wrong.",
            hint="Give judgments, or label some documents.",
        )
    if request.answering is not None and not request.referenced(corpus):
        raise InvalidInput(
            f"No query of {corpus.name!r} has a reference answer.",
            hint='Write them beside the queries: a field "answers" with a text or a list of texts.',
        )
    return RagDesign(
        request.pipelines,
        queries,
        {query.id: corpus.qrels.get(query.id, {}) for query in queries},
        request.documents,
        request.budget,
        _known_rankings(evaluation),
    )


def _known_rankings(evaluation: Evaluation | None) -> Mapping[tuple[str, str], Ranking]:
    if evaluation is None:
        return {}
    return {
        key: cell.ranking
        for key, cell in evaluation.cells.items()
        if cell.answered and cell.ranking is not None
    }


def run(request: RagRequest, corpus: Corpus, ctx: Context, engine: Engine) -> RagStudy:
    """Look at the contexts here and now, and let the language model answer where one is named.

    Raises:
        InvalidInput: as `designed`.
        SpendLimit, MissingKey: the language model cannot be asked.
        BackendError: its endpoint failed several times in a row.
        Cancelled: scores and answers of models that were asked are kept.
    """
    return _run(designed(request, corpus), request, corpus, ctx, engine)


def _run(
    design: RagDesign, request: RagRequest, corpus: Corpus, ctx: Context, engine: Engine
) -> RagStudy:
    rag = RagRun(design, corpus, ctx, engine)
    study = rag.study()
    return study if request.answering is None else _with_answers(study, rag, request, corpus)


def answer_estimate(request: RagRequest, corpus: Corpus, engine: Engine) -> CostEstimate | None:
    """What the answers take of the language model at most; None when none is to be asked."""
    if request.answering is None:
        return None
    asked = _asked_model(request.answering, engine)
    contexts = sum(1 + bool(first_stage_of(spec)) for spec in request.pipelines)
    calls = contexts * len(request.referenced(corpus))
    words = request.answering.passage_words * request.documents
    return asked.estimate(calls, round(calls * words * 1.4))


def _asked_model(model: JudgeModel, engine: Engine) -> AskedModel:
    return AskedModel(model, AnswerCache(engine.home / "llm-answers.sqlite"))


def _with_answers(study: RagStudy, rag: RagRun, request: RagRequest, corpus: Corpus) -> RagStudy:
    """The study with the answers to every pipeline's contexts and to its first stage's."""
    model = request.answering or JudgeModel("")
    asked = _asked_model(model, rag.engine)
    asked.check(rag.ctx)
    queries = request.referenced(corpus)
    references = {query.id: reference_answers(query) for query in queries}
    answering = _Answering(asked, queries, rag.ctx)
    pipelines = []
    for one in study.pipelines:
        source = first_stage_of(one.pipeline)
        reranked = answering.answers(rag.contexts(one.pipeline))
        first = answering.answers(rag.contexts(source)) if source else {}
        pipelines.append(_answered(one, first, reranked, references))
    return replace(
        study,
        pipelines=_corrected(pipelines),
        answer_model=model.model,
        referenced=len(queries),
    )


def _answered(
    one: PipelineContexts,
    first: Mapping[str, ModelAnswer],
    reranked: Mapping[str, ModelAnswer],
    references: Mapping[str, Sequence[str]],
) -> PipelineContexts:
    a, b = right_values(first, references), right_values(reranked, references)
    return replace(
        one,
        answers=answer_figures(reranked, references),
        first_stage_answers=answer_figures(first, references),
        answers_difference=paired(a, b, ("first stage", "reranked"))
        if a.keys() & b.keys()
        else None,
    )


def _corrected(pipelines: Sequence[PipelineContexts]) -> tuple[PipelineContexts, ...]:
    """With Holm's correction over the comparisons of answers."""
    every = [one.answers_difference for one in pipelines]
    adjusted = iter(holm([one.p for one in every if one is not None and one.p is not None]))
    return tuple(
        replace(one, answers_difference=replace(difference, p_holm=next(adjusted)))
        if (difference := one.answers_difference) is not None and difference.p is not None
        else one
        for one in pipelines
    )


@dataclass(slots=True)
class _Answering:
    """A language model that answers queries from contexts, several at a time."""

    asked: AskedModel
    queries: Sequence[Query]
    ctx: Context
    _in_a_row: int = field(default=0)

    def answers(self, rankings: PipelineRankings) -> dict[str, ModelAnswer]:
        """By query id. A call that fails gives an unusable answer.

        Raises:
            BackendError: several in a row failed, or all.
        """
        queries = [query for query in self.queries if query.id in rankings.contexts]
        answers: dict[str, ModelAnswer] = {}

        def one(query: Query, inner: Context) -> ModelAnswer | BackendError:
            try:
                return self._answer(query, rankings.contexts[query.id], inner.for_remote_stage())
            except BackendError as error:
                return error

        def store(index: int, answer: ModelAnswer | BackendError) -> None:
            answers[queries[index].id] = self._counted(answer)
            self.ctx.report("answering", len(answers), len(queries))

        width = 1 if self.asked.settings.local else self.asked.settings.concurrency
        gather(queries, one, self.ctx, width, store)
        return answers

    def _answer(self, query: Query, context: QueryContext, ctx: Context) -> ModelAnswer:
        words = self.asked.settings.passage_words
        completion, key = self.asked.answer(
            answer_messages(query.text, context, words), 0, Work(ctx)
        )
        answer = read_model_answer(completion.text, cut_short=completion.truncated)
        if answer.usable:
            self.asked.keep(key, completion)
        return answer

    def _counted(self, answer: ModelAnswer | BackendError) -> ModelAnswer:
        if not isinstance(answer, BackendError):
            self._in_a_row = 0
            return answer
        self._in_a_row += 1
        if self._in_a_row >= min(MOST_FAILURES, len(self.queries)):
            raise answer
        return ModelAnswer(usable=False)


@dataclass(frozen=True, slots=True)
class RagKey(JobKey[RagStudy]):
    """A study of the contexts of an experiment's pipelines, from so many answered cells."""

    experiment_id: str
    request: RagRequest
    cells: int
    session: Bound


def start(
    request: RagRequest, evaluation: Evaluation, corpus: Corpus, session: Session
) -> Job[RagStudy]:
    """The job of a study of contexts, which is kept with the experiment once it is done.

    A language model is asked with the keys and the spend limit of the session.

    Raises:
        InvalidInput: as `designed`.
    """
    design = designed(request, corpus, evaluation)
    engine, pipelines = session.engine, _runnable(request.pipelines)
    ctx, bound = session.context(pipelines), session.bound(pipelines)
    if request.answering is not None:
        secrets = session.secrets_for(pipelines)
        if host_of(request.answering.base_url) in session.distrusted_hosts:
            secrets = {}
        ctx = replace(ctx, secrets=secrets, spend=session.spend)
        bound = (session.waiter, str(session.key_version))

    def work(ctx: Context) -> RagStudy:
        study = _run(design, request, corpus, ctx, engine)
        save_study(evaluation.id, RAG_KIND, request.to_json(), study.to_json(), engine.home)
        return study

    return session.jobs.submit(
        RagKey(evaluation.id, request, len(evaluation.cells), bound),
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=f"Contexts on {corpus.name}",
        ctx=ctx,
        waiter=session.waiter,
        detached=True,
    )


def _runnable(specs: Sequence[str]) -> list[Pipeline]:
    """Those that can be run here; the others are runs of other systems, whose rankings are kept."""
    pipelines = []
    for spec in specs:
        try:
            pipelines.append(Pipeline(spec))
        except LabError:
            continue
    return pipelines


def jobs_of(experiment_id: str, session: Session) -> list[Job[RagStudy]]:
    """The jobs of this kind for an experiment, oldest first."""
    return session.jobs.jobs(RagKey, lambda key: key.experiment_id == experiment_id)


def rag_studies(experiment_id: str, home: Path | None = None) -> tuple[RagStudy, ...]:
    """The kept studies of an experiment, the newest first."""
    stored = studies(experiment_id, RAG_KIND, home)
    return tuple(RagStudy.from_json(study.result) for study in stored)

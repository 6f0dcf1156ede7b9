"""Contexts for language models as a use case: does reranking help what is put before them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
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
from rerank_lab.evaluation.rag.grading import (
    GRADED_WORDS,
    AnswerGrade,
    grade_figures,
    grade_messages,
    graded_values,
    read_grade,
)
from rerank_lab.evaluation.rag.run import RagDesign, RagRun, first_stage_of
from rerank_lab.evaluation.rag.study import RAG_KIND, PipelineContexts, RagStudy
from rerank_lab.evaluation.statistics import holm, paired
from rerank_lab.evaluation.studies import save_study
from rerank_lab.jobs.table import Job
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.model_answers import (
    asked_model,
    bound_with,
    context_with,
    model_answers,
)
from rerank_lab.services.session import Session
from rerank_lab.services.study_jobs import StudyKey, jobs_of_kind, kept_studies, start_study

DOCUMENTS = 5
"""So many documents are put before a language model unless the request says otherwise."""
ANSWERED_QUERIES = 30
_Answers = Mapping[str, ModelAnswer]
_Grades = Mapping[tuple[str, str], AnswerGrade | None]


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
        grader: the language model that grades the answers; None for none.
    """

    pipelines: tuple[str, ...]
    documents: int = DOCUMENTS
    budget: int = 0
    limit: int | None = None
    answering: JudgeModel | None = None
    answered: int = ANSWERED_QUERIES
    grader: JudgeModel | None = None

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
            "grader": self.grader.model if self.grader and self.answering else "",
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
        InvalidInput: nothing is judged, a language model has no reference answers to meet, or there
            is a grader and nothing for it to grade.
    """
    queries = request.queries(corpus)
    if not any(corpus.qrels.get(query.id) for query in queries):
        raise InvalidInput(
            f"No query of {corpus.name!r} is judged: nothing tells right documents from wrong.",
            hint="Give judgments, or label some documents.",
        )
    if request.grader is not None and request.answering is None:
        raise InvalidInput(
            "There are no answers to grade.", hint="Name the model that answers with --model."
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


def run(
    request: RagRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> RagStudy:
    """Look at the contexts here and now, and let the language model answer where one is named.

    Where an evaluation is named, its rankings are taken and the study is kept with it.

    Raises:
        InvalidInput: as `designed`.
        SpendLimit, MissingKey: the language model cannot be asked.
        BackendError: its endpoint failed several times in a row.
        Cancelled: scores and answers of models that were asked are kept.
    """
    study = _run(designed(request, corpus, evaluation), request, corpus, ctx, engine)
    if evaluation is not None:
        save_study(evaluation.id, RAG_KIND, request.to_json(), study.to_json(), engine.home)
    return study


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
    words = request.answering.passage_words * request.documents
    calls = _answers_of(request, corpus)
    return asked_model(request.answering, engine).estimate(calls, round(calls * words * 1.4))


def grading_estimate(request: RagRequest, corpus: Corpus, engine: Engine) -> CostEstimate | None:
    """What the grades take of the grader at most, beside the answers; None for no grader."""
    if request.answering is None or request.grader is None:
        return None
    calls = _answers_of(request, corpus)
    return asked_model(request.grader, engine).estimate(calls, round(calls * GRADED_WORDS * 1.4))


def _answers_of(request: RagRequest, corpus: Corpus) -> int:
    """How many answers there are at most: of each pipeline and first stage, to each query."""
    first_stages = {first_stage_of(spec) for spec in request.pipelines} - {""}
    return len(first_stages.union(request.pipelines)) * len(request.referenced(corpus))


def _with_answers(study: RagStudy, rag: RagRun, request: RagRequest, corpus: Corpus) -> RagStudy:
    """The study with the answers to every pipeline's contexts and to its first stage's."""
    model = request.answering or JudgeModel("")
    asked, queries = asked_model(model, rag.engine), request.referenced(corpus)
    references = {query.id: reference_answers(query) for query in queries}

    @cache
    def answers(spec: str) -> Mapping[str, ModelAnswer]:
        contexts = rag.contexts(spec).contexts if spec else {}
        answered = [query for query in queries if query.id in contexts]
        words = model.passage_words
        prompts = [answer_messages(one.text, contexts[one.id], words) for one in answered]
        read = model_answers(asked, prompts, read_model_answer, rag.ctx, "answering")
        unusable = ModelAnswer(usable=False)
        return {one.id: answer or unusable for one, answer in zip(answered, read, strict=True)}

    pipelines = [
        _answered(one, answers(first_stage_of(one.pipeline)), answers(one.pipeline), references)
        for one in study.pipelines
    ]
    if request.grader is not None:
        sides = [(answers(first_stage_of(one.pipeline)), answers(one.pipeline))
                 for one in pipelines]  # fmt: skip
        grades = _grades(sides, queries, request.grader, rag)
        pipelines = [_graded(one, *pair, grades, references)
                     for one, pair in zip(pipelines, sides, strict=True)]  # fmt: skip
    return replace(
        study,
        pipelines=_corrected(pipelines),
        answer_model=model.model,
        referenced=len(queries),
        grader=request.grader.model if request.grader is not None else "",
    )


def _grades(
    sides: Sequence[tuple[_Answers, _Answers]],
    queries: Sequence[Query],
    grader: JudgeModel,
    rag: RagRun,
) -> _Grades:
    """The grades of all answers; the same answer to a query is graded once, whoever gave it."""
    pairs = {(query_id, answer.text) for pair in sides for answers in pair
             for query_id, answer in answers.items() if answer.usable and answer.text}  # fmt: skip
    texts = {query.id: query for query in queries}
    ordered = sorted(pairs)
    prompts = [
        grade_messages(texts[query_id].text, reference_answers(texts[query_id]), answer)
        for query_id, answer in ordered
    ]
    if not prompts:
        return {}
    asked = asked_model(grader, rag.engine)
    read = model_answers(asked, prompts, read_grade, rag.ctx, "grading")
    return dict(zip(ordered, read, strict=True))


def _graded(
    one: PipelineContexts,
    first: _Answers,
    reranked: _Answers,
    grades: _Grades,
    references: Mapping[str, Sequence[str]],
) -> PipelineContexts:
    a, b = graded_values(first, grades), graded_values(reranked, grades)
    return replace(
        one,
        grades=grade_figures(reranked, grades, right_values(reranked, references))
        if reranked
        else None,
        first_stage_grades=grade_figures(first, grades, right_values(first, references))
        if first
        else None,
        grades_difference=paired(a, b, ("first stage", "reranked"))
        if a.keys() & b.keys()
        else None,
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
    """With Holm's correction over all comparisons of answers, graded or not."""
    tested = [
        (place, name, difference)
        for place, one in enumerate(pipelines)
        for name in ("answers_difference", "grades_difference")
        if (difference := getattr(one, name)) is not None and difference.p is not None
    ]
    corrected = list(pipelines)
    adjusted = holm([difference.p for _, _, difference in tested])
    for (place, name, difference), p_holm in zip(tested, adjusted, strict=True):
        corrected[place] = replace(corrected[place], **{name: replace(difference, p_holm=p_holm)})
    return tuple(corrected)


@dataclass(frozen=True, slots=True)
class RagKey(StudyKey[RagRequest, RagStudy]):
    """A study of the contexts of an experiment's pipelines, from so many answered cells."""

    cells: int


@needs(Action.EDIT)
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
    ctx = context_with(session, pipelines, request.answering)
    bound = bound_with(session, pipelines, request.answering)

    return start_study(
        RagKey(evaluation.id, request, bound, len(evaluation.cells)),
        lambda ctx: _run(design, request, corpus, ctx, engine),
        session,
        kind=RAG_KIND,
        name=f"Contexts on {corpus.name}",
        ctx=ctx,
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
    return jobs_of_kind(RagKey, experiment_id, session)


def rag_studies(experiment_id: str, home: Path | None = None) -> tuple[RagStudy, ...]:
    """The kept studies of an experiment, the newest first."""
    return kept_studies(RAG_KIND, RagStudy.from_json, experiment_id, home)

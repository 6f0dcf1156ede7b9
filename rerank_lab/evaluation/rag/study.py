"""What pipelines put before a language model, as values that are kept and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.evaluation.statistics import Paired

RAG_KIND = "rag"
"""Under which it is kept among the studies of an experiment."""


@dataclass(frozen=True, slots=True)
class ContextFigures:
    """Contexts of one ranking, as means over judged queries.

    Attributes:
        queries: how many were measured.
        precision: share of right documents.
        recall: share of all right documents that is in the context.
        holding: share of queries whose context holds a right document.
        tempted: share of queries in which a document judged wrong stands above every right one of
            the context; None when no query has anything judged wrong.
        tempting_queries: of so many queries, those with something judged right and wrong.
        unjudged: share of the documents that nobody judged.
        tokens, tokens_p95: mean and 95th percentile.
        right_tokens: share of the tokens that is in right documents, mean over queries.
        places: how many right documents stand at each place, from the first on.
        middle: share of the right documents in the middle third; None without any.
        middle_reordered: the same after the stage long-context-reorder.
    """

    queries: int
    precision: float
    recall: float | None
    holding: float
    tempted: float | None
    tempting_queries: int
    unjudged: float
    tokens: float
    tokens_p95: float
    right_tokens: float
    places: tuple[int, ...]
    middle: float | None
    middle_reordered: float | None


@dataclass(frozen=True, slots=True)
class TemptingExample:
    """A query whose context begins with a wrong document.

    Attributes:
        place: of the wrong document in the context.
        right_id, right_rank: the best right document and its rank in the whole ranking; "" and None
            where the ranking holds none.
    """

    query_id: str
    query: str
    wrong_id: str
    wrong_text: str
    place: int
    right_id: str
    right_rank: int | None


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """Answers of a language model to queries with reference answers, from one kind of context.

    `right`, `wrong` and `abstained` are shares of the `queries` with a usable answer; `unusable`
    counts those without. `overlap` is the mean F1 of words with the nearest reference.
    """

    queries: int
    right: float
    wrong: float
    abstained: float
    unusable: int
    overlap: float


@dataclass(frozen=True, slots=True)
class GradeFigures:
    """Those answers, graded by a language model against the references.

    Attributes:
        queries: with a grade; an abstention is not right without one.
        right: share of these that is graded correct.
        ungraded: usable answers without a usable grade; they are left out.
        agreement: share of these on which the grader and the comparison word for word agree.
    """

    queries: int
    right: float
    ungraded: int
    agreement: float


@dataclass(frozen=True, slots=True)
class PipelineContexts:
    """One pipeline, with its reranking and without.

    Attributes:
        reranked: of the whole pipeline; None where it answered nothing.
        first_stage: of its first stage alone; None for a pipeline without a reranker.
        differences: reranked (b) against its first stage (a), by the name of the figure:
            precision, recall, right_tokens, tempted.
        answers, first_stage_answers: None unless a language model was asked.
        answers_difference: right answers, reranked (b) against first stage (a).
        grades, first_stage_grades: None unless the answers were graded.
        grades_difference: answers graded right, reranked (b) against first stage (a).
        problem: why it did not answer a query, the last time; "" when it answered all.
    """

    pipeline: str
    reranked: ContextFigures | None
    first_stage: ContextFigures | None
    differences: dict[str, Paired]
    examples: tuple[TemptingExample, ...] = ()
    answers: AnswerFigures | None = None
    first_stage_answers: AnswerFigures | None = None
    answers_difference: Paired | None = None
    problem: str = ""
    grades: GradeFigures | None = None
    first_stage_grades: GradeFigures | None = None
    grades_difference: Paired | None = None


@dataclass(frozen=True, slots=True)
class RagStudy:
    """Contexts of several pipelines for the same queries.

    p-values are Holm-corrected over all comparisons of contexts, and over those of answers,
    graded or not.

    Attributes:
        documents: how many a context holds at most.
        budget: tokens that it holds at most, 0 for no bound.
        tokenizer: how tokens were counted.
        judged: how many of the queries are judged.
        answer_model: the language model that answered, "" for none.
        grader: the language model that graded the answers, "" for none.
        referenced: how many queries have reference answers.
    """

    corpus: str
    corpus_hash: str
    documents: int
    budget: int
    tokenizer: str
    queries: int
    judged: int
    pipelines: tuple[PipelineContexts, ...]
    answer_model: str = ""
    referenced: int = 0
    grader: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; `from_json` reads it back."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> RagStudy:
        """The study of JSON values. Raises ValueError for anything else."""
        return msgspec.convert(written, cls)

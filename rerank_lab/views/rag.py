"""What pipelines put before a language model, in sentences and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.components.registry import expand
from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.rag.run import REORDER
from rerank_lab.evaluation.rag.study import (
    AnswerFigures,
    ContextFigures,
    GradeFigures,
    PipelineContexts,
    RagStudy,
    TemptingExample,
)
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import short_labels
from rerank_lab.views.results_table import p_words, signed

ALPHA = 0.05
NOTHING = "–"
_EXAMPLE_CHARS = 200
HEADINGS = (
    "Context of", "Right", "Of all right ones", "With a right one", "Wrong one above",
    "Tokens (p95)", "Tokens that are right", "In the middle", "Reordered",
)  # fmt: skip
ANSWER_HEADINGS = ("Answers from", "Right", "Wrong", "Abstained", "F1 of words", "Queries")
GRADE_HEADINGS = ("Graded right", "Graded alike", "Graded")
HEADING_HELP = (
    "Right: share of the documents in the context that are judged relevant (context precision). Of "
    "all right ones: share of all relevant documents that is in it (context recall). Wrong one "
    "above: share of the queries in which a document judged not relevant stands above every right "
    "one. In the middle: share of the right documents in the middle third of the context, which "
    "language models tend to overlook (Liu et al. 2023, arXiv:2307.03172); reordered: after the "
    "stage long-context-reorder."
)
_DIFFERENCES = {
    "precision": "right documents",
    "recall": "of all right documents",
    "right_tokens": "tokens that are right",
    "tempted": "queries with a wrong one above",
}


@dataclass(frozen=True, slots=True)
class ContextRow:
    """One kind of context: a cell for each of `HEADINGS`."""

    cells: tuple[str, ...]
    first_stage: bool


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """Reranking against its first stage: of what, by how much, corrected p, shown or not."""

    pipeline: str
    figure: str
    difference: str
    p: str
    significant: bool


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """Answers from one kind of context: a cell for each of `answer_headings`."""

    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RagView:
    """The answer first, then contexts, differences, answers, places, examples, what to know."""

    answer: tuple[str, ...]
    contexts: tuple[ContextRow, ...]
    differences: tuple[DifferenceRow, ...]
    answers: tuple[AnswerRow, ...]
    places: tuple[tuple[str, tuple[int, ...]], ...]
    examples: tuple[tuple[str, TemptingExample], ...]
    notes: tuple[str, ...]
    answer_headings: tuple[str, ...] = ANSWER_HEADINGS


def example_cells(label: str, example: TemptingExample) -> tuple[str, str, str, str]:
    """Pipeline, query, wrong document and best right one, in words."""
    text = " ".join(example.wrong_text.split())
    if len(text) > _EXAMPLE_CHARS:
        text = f"{text[:_EXAMPLE_CHARS].rstrip()}…"
    right = "not in the ranking"
    if example.right_rank is not None:
        right = f"{example.right_id}, rank {example.right_rank:,}"
    return (
        label,
        example.query,
        f"{example.wrong_id}, place {example.place}: {text}",
        right,
    )


def budget_words(tokens: int) -> str:
    """`2,000`, `no bound` for 0."""
    return f"{tokens:,}" if tokens else "no bound"


def rag_view(study: RagStudy) -> RagView:
    """A study as it is shown and printed."""
    labels = short_labels([one.pipeline for one in study.pipelines])
    rows = list(_contexts(study, labels))
    return RagView(
        _answer(study, labels),
        tuple(ContextRow(_cells(name, figures), first) for name, figures, first in rows),
        tuple(
            _difference_row(labels[one.pipeline], name, paired)
            for one in study.pipelines
            for name, paired in one.differences.items()
        ),
        _answers(study, labels),
        tuple((name, figures.places) for name, figures, _ in rows),
        tuple(
            (labels[one.pipeline], example) for one in study.pipelines for example in one.examples
        ),
        _notes(study, labels),
        (*ANSWER_HEADINGS, *GRADE_HEADINGS) if study.grader else ANSWER_HEADINGS,
    )


def _contexts(
    study: RagStudy, labels: Mapping[str, str]
) -> Sequence[tuple[str, ContextFigures, bool]]:
    """Each pipeline and, once, each first stage that no pipeline is by itself."""
    rows: dict[str, tuple[ContextFigures, bool]] = {}
    for one in study.pipelines:
        if one.reranked is not None:
            rows[labels[one.pipeline]] = (one.reranked, False)
    for one in study.pipelines:
        name = labels[one.pipeline].split(" >> ")[0]
        if one.first_stage is not None and name not in rows:
            rows[name] = (one.first_stage, True)
    return [(name, *row) for name, row in rows.items()]


def _cells(name: str, one: ContextFigures) -> tuple[str, ...]:
    return (
        name,
        f"{one.precision:.0%}",
        _share(one.recall),
        f"{one.holding:.0%}",
        _share(one.tempted),
        f"{one.tokens:,.0f} ({one.tokens_p95:,.0f})",
        f"{one.right_tokens:.0%}",
        _share(one.middle),
        _share(one.middle_reordered),
    )


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def _difference_row(label: str, name: str, one: Paired) -> DifferenceRow:
    between = ""
    if one.low is not None and one.high is not None:
        between = f" [{signed(one.low)}, {signed(one.high)}]"
    return DifferenceRow(
        label,
        _DIFFERENCES[name],
        f"{signed(one.difference)}{between}",
        p_words(one.p_holm),
        _shown_to_differ(one),
    )


def _shown_to_differ(one: Paired | None) -> bool:
    return one is not None and one.p_holm is not None and one.p_holm < ALPHA


def _answer(study: RagStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    """For each pipeline with rerankers, whether reranking helps the context, and the answers."""
    sentences = []
    for one in study.pipelines:
        recall = one.differences.get("recall")
        if recall is None or one.first_stage is None:
            continue
        label = labels[one.pipeline]
        row = _difference_row(label, "recall", recall)
        what = f"{row.difference}; Holm {row.p}"
        size = f"the first {study.documents} documents"
        if not row.significant:
            sentences.append(
                f"{label}: reranking is not shown to change how many of the right documents stand "
                f"in {size} ({what})."
            )
        else:
            verb = "more" if recall.difference > 0 else "fewer"
            sentences.append(
                f"{label}: with reranking, {size} hold {verb} of the right documents than without "
                f"({recall.mean_b:.0%} against {recall.mean_a:.0%}; {what})."
            )
    return (*sentences, *_answers_sentences(study, labels))


def _answers_sentences(study: RagStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    sentences = []
    for one in study.pipelines:
        for difference, right in (
            (one.answers_difference, "right"),
            (one.grades_difference, f"right by the grades of {study.grader}"),
        ):
            if difference is None:
                continue
            queries = counted(difference.queries, "query", "queries")
            verdict = "changes" if _shown_to_differ(difference) else "is not shown to change"
            sentences.append(
                f"{labels[one.pipeline]}: reranking {verdict} the answers of {study.answer_model}: "
                f"{difference.mean_b:.0%} {right} with it, {difference.mean_a:.0%} without "
                f"(Holm {p_words(difference.p_holm)}, {queries})."
            )
    return tuple(sentences)


def _answers(study: RagStudy, labels: Mapping[str, str]) -> tuple[AnswerRow, ...]:
    rows: dict[str, AnswerRow] = {}
    for one in study.pipelines:
        label = labels[one.pipeline]
        for name, figures, grades in (
            (label.split(" >> ")[0], one.first_stage_answers, one.first_stage_grades),
            (label, one.answers, one.grades),
        ):
            if figures is not None:
                cells = _answer_cells(name, figures)
                rows[name] = AnswerRow(cells + _grade_cells(grades) if study.grader else cells)
    return tuple(rows.values())


def _answer_cells(name: str, one: AnswerFigures) -> tuple[str, ...]:
    unusable = f", {one.unusable} unusable" if one.unusable else ""
    return (
        name,
        f"{one.right:.0%}",
        f"{one.wrong:.0%}",
        f"{one.abstained:.0%}",
        f"{one.overlap:.2f}",
        f"{one.queries}{unusable}",
    )


def _grade_cells(one: GradeFigures | None) -> tuple[str, ...]:
    if one is None or not one.queries:
        return (NOTHING, NOTHING, "0")
    ungraded = f", {one.ungraded} without a grade" if one.ungraded else ""
    return f"{one.right:.0%}", f"{one.agreement:.0%}", f"{one.queries}{ungraded}"


def _notes(study: RagStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    judged = counted(study.judged, "judged query", "judged queries")
    bound = f" and {study.budget:,} tokens" if study.budget else ""
    notes = [
        f"{judged}; a context holds at most {counted(study.documents, 'document')}{bound}. Tokens "
        f"are {study.tokenizer}; a model's own tokenizer gives about 1.1 to 1.4 times as many.",
    ]
    unjudged = [one.reranked.unjudged for one in study.pipelines if one.reranked is not None]
    if unjudged and max(unjudged) > 0:
        notes.append(
            f"Up to {max(unjudged):.0%} of the documents in these contexts are not judged. They "
            "count as wrong where right ones are counted, and never as a wrong one above."
        )
    tempting = {one.reranked.tempting_queries for one in study.pipelines if one.reranked}
    if tempting and min(tempting) < study.judged:
        notes.append(
            f"A wrong one above is told of the {min(tempting):,} queries with something judged "
            "right and something judged wrong."
        )
    for one in study.pipelines:
        label = labels[one.pipeline]
        if one.problem:
            count = one.reranked.queries if one.reranked else 0
            notes.append(f"{label} answered {count:,} of {judged}. {one.problem}")
        if _reorders_more_than(one, study.documents):
            notes.append(
                f"{label} reorders more documents than the context holds, so that only every other "
                f"of its best ones is in it: write {REORDER}(top={study.documents})."
            )
    if study.answer_model:
        notes.append(
            "An answer is right when it holds a reference answer word for word. "
            f"{counted(study.referenced, 'query', 'queries')} with reference answers were asked."
        )
    if study.grader:
        own = " It graded its own answers, which models favour." * (
            study.grader == study.answer_model
        )
        notes.append(
            f"{study.grader} graded the answers against the references by what they mean; an "
            "abstention is not right. Graded alike: how often that agrees with the comparison word "
            f"for word.{own}"
        )
    return tuple(notes)


def _reorders_more_than(one: PipelineContexts, documents: int) -> bool:
    """Whether the last stage puts the best documents at both ends of a longer list."""
    try:
        last = Pipeline(one.pipeline).spec.nodes[-1]
        return last.name == REORDER and int(expand(last, "reranker")[1]["top"]) > documents
    except LabError:
        return False

"""What was studied beyond the evaluation, and what was not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from rerank_lab.components.registry import current_spec
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Chart,
    Inline,
    Paragraph,
    ReportSection,
    ReportTable,
    Verbatim,
    Words,
)
from rerank_lab.decision.report.svg import CurveMark, curve_chart
from rerank_lab.evaluation.depth.study import DEPTH_KIND, DepthStudy
from rerank_lab.evaluation.grid.study import GRID_KIND, GridStudy
from rerank_lab.evaluation.load.study import LOAD, LoadStudy
from rerank_lab.evaluation.rag.study import RagStudy
from rerank_lab.evaluation.robustness.study import STUDY_KIND, RobustnessStudy
from rerank_lab.evaluation.studies import Study
from rerank_lab.evaluation.tuning.study import SEARCH_KIND, SearchStudy
from rerank_lab.views.depth import depth_view
from rerank_lab.views.formatting import figures
from rerank_lab.views.grid import ALONE, grid_view
from rerank_lab.views.labels import seconds
from rerank_lab.views.load import load_sentence
from rerank_lab.views.rag import rag_view
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import (
    ABSENT,
    Part,
    count,
    measure_words,
    number,
    plain_interval,
    share_words,
    time_words,
)
from rerank_lab.views.report.results import LEVEL
from rerank_lab.views.robustness import robustness_view
from rerank_lab.views.tuning import search_view

_RAG = "rag"
_QUESTIONS = {
    DEPTH_KIND: "how quality, time and cost go with the number of candidates",
    LOAD: "latency when queries come faster than one at a time",
    STUDY_KIND: "typing errors, negation, injected text and other disturbances",
    _RAG: "what a language model would be given",
    GRID_KIND: "the same rerankers over other first stages",
    SEARCH_KIND: "better settings, searched on one part of the queries and tried on another",
}
Value = TypeVar("Value")


def depth(context: ReportContext) -> ReportSection:
    """Quality by the number of candidates, with what the candidates allow as broken lines."""
    title = "Depth"
    known = next(_values(context, DEPTH_KIND, DepthStudy.from_json), None)
    if known is None:
        words: Words = ("Not studied yet: open Depth below the results on Evaluate.",)
        return ReportSection("depth", title, (Paragraph(words),))
    study, value = known
    view = depth_view(value, context.names)
    blocks = _verbatim_list(view.answer)
    places = {spec: place for place, spec in enumerate(context.evaluation.design.pipelines)}
    marks = [
        CurveMark(
            f"{context.names.get(curve.pipeline, curve.pipeline)}{ending}",
            tuple((point.depth, getattr(point, name)) for point in curve.points),
            places.get(curve.pipeline, place),
            dashed,
        )
        for place, curve in enumerate(value.curves)
        if curve.points
        for name, ending, dashed in (("value", "", False), ("oracle", ", best order", True))
    ]
    if marks:
        alternative = f"{value.measure} by the number of candidates; broken: their best order"
        axes = ("candidates", value.measure)
        blocks.append(Chart(curve_chart(marks, alternative, *axes, log_x=True), alternative))
        blocks.append(_depth_table(context, study, value))
    blocks += _verbatim_list((*view.notes, *view.problems))
    return ReportSection("depth", title, tuple(blocks))


def _depth_table(context: ReportContext, study: Study, value: DepthStudy) -> ReportTable:
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("candidates",), (Verbatim(value.measure),), (LEVEL, " interval"),
        ("best order",), ("recall",), ("p50",), ("p95",),
    )  # fmt: skip
    rows: list[tuple[Words, ...]] = []
    for place, curve in enumerate(value.curves):
        for step, point in enumerate(curve.points):
            of: tuple[Part, ...] = (
                *_source(study), "curves", place, "points", step,
            )  # fmt: skip
            name = context.names.get(curve.pipeline, curve.pipeline)
            rows.append(
                (
                    (Verbatim(name),) if step == 0 else ("",),
                    (count(point.depth, *of, "depth"),),
                    measure_words(point.value, *of, "value"),
                    plain_interval(point.low, point.high, *of),
                    measure_words(point.oracle, *of, "oracle"),
                    share_words(point.recall, *of, "recall"),
                    time_words(point.p50, *of, "p50"),
                    time_words(point.p95, *of, "p95"),
                )
            )
    return ReportTable(headings, tuple(rows), (False, *[True] * 7))


def further(context: ReportContext) -> ReportSection:
    """Load, robustness and contexts for language models, where they were studied."""
    blocks: list[Block] = [
        *_load(context),
        *_grid(context),
        *_answers(context, SEARCH_KIND, "Better options", _search_answer),
        *_answers(context, STUDY_KIND, "Robustness and bias", _robustness_answer),
        *_answers(context, _RAG, "Contexts for a language model", _rag_answer),
    ]
    known = {study.kind for study in context.evidence.studies} | {DEPTH_KIND}
    missing = [(f"{kind}: {what}",) for kind, what in _QUESTIONS.items() if kind not in known]
    if missing:
        blocks += [
            Paragraph(("Not studied yet; each is a question below the results on Evaluate:",)),
            Bullets(tuple(missing)),
        ]
    return ReportSection("studies", "Further questions", tuple(blocks))


def _load(context: ReportContext) -> list[Block]:
    """The newest load study of each pipeline."""
    newest: dict[str, tuple[Study, LoadStudy]] = {}
    for study, value in _values(context, LOAD, LoadStudy.from_json):
        newest.setdefault(current_spec(value.pipeline), (study, value))
    if not newest:
        return []
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("queries a second",), ("at a time",), ("p50",), ("p95",), ("p99",),
    )  # fmt: skip
    rows = [_load_row(context, spec, study, value) for spec, (study, value) in newest.items()]
    sentences = tuple(
        (Verbatim(f"{context.names.get(spec, spec)}: {load_sentence(value)}"),)
        for spec, (_, value) in newest.items()
    )
    return [
        Paragraph(("Latency under load, waiting included:",)),
        Bullets(sentences),
        ReportTable(headings, tuple(rows), (False, *[True] * 5)),
    ]


def _load_row(
    context: ReportContext, spec: str, study: Study, value: LoadStudy
) -> tuple[Words, ...]:
    of = _source(study)
    name: Words = (Verbatim(context.names.get(spec, spec)),)
    rate: Words = (number(figures(value.rate), value.rate, *of, "rate"),)
    workers: Words = (count(value.workers, *of, "workers"),)
    step = value.at_rate
    if step is None:
        return (name, rate, workers, ABSENT, ABSENT, ABSENT)
    place = value.steps.index(step)
    times: list[Words] = []
    for share in ("p50", "p95", "p99"):
        one = getattr(step, share)
        if one is None:
            times.append(ABSENT)
            continue
        printed: Inline = number(
            seconds(one.seconds), one.seconds, *of, "steps", place, share, "seconds"
        )
        times.append(("more than ", printed) if one.at_least else (printed,))
    return (name, rate, workers, *times)


def _grid(context: ReportContext) -> list[Block]:
    """The newest grid: a row a first stage, a column a reranker."""
    known = next(_values(context, GRID_KIND, GridStudy.from_json), None)
    if known is None:
        return []
    study, value = known
    view, columns = grid_view(value), ("", *value.rerankers)
    headings: list[Words] = [("First stage",), *((Verbatim(one or ALONE),) for one in columns)]
    rows = [
        ((Verbatim(first),), *(_pair(study, value, first, reranker) for reranker in columns))
        for first in value.first_stages
    ]
    numbers = (False, *[True] * len(columns))
    return [
        Paragraph(("First stages by rerankers, ", Verbatim(value.measure), ":")),
        *_verbatim_list((*view.answer, *view.problems)),
        ReportTable(tuple(headings), tuple(rows), numbers),
        *_verbatim_list(view.notes),
    ]


def _pair(study: Study, value: GridStudy, first: str, reranker: str) -> Words:
    pair = value.pair(first, reranker)
    if pair is None:
        return ABSENT
    place = value.pairs.index(pair)
    return measure_words(pair.value, *_source(study), "pairs", place, "value")


def _answers(
    context: ReportContext, kind: str, title: str, answer: Callable[[object], tuple[str, ...]]
) -> list[Block]:
    """What the newest study of a kind says, in the sentences of its own page."""
    known = next(_values(context, kind, answer), None)
    if known is None:
        return []
    return [Paragraph((f"{title}:",)), *_verbatim_list(known[1])]


def _robustness_answer(written: object) -> tuple[str, ...]:
    view = robustness_view(RobustnessStudy.from_json(written))
    return (*view.answer, *view.notes)


def _search_answer(written: object) -> tuple[str, ...]:
    view = search_view(SearchStudy.from_json(written))
    return (*view.answer, f"Pipeline: {view.pipeline}", *view.notes)


def _rag_answer(written: object) -> tuple[str, ...]:
    view = rag_view(RagStudy.from_json(written))
    return (*view.answer, *view.notes)


def _values(
    context: ReportContext, kind: str, read: Callable[[object], Value]
) -> Iterator[tuple[Study, Value]]:
    """The studies of a kind, the newest first; one that cannot be read is left out."""
    for study in context.evidence.studies:
        if study.kind == kind:
            with suppress(ValueError):
                yield study, read(study.result)


def _source(study: Study) -> tuple[Part, ...]:
    """The beginning of quantities that were copied from a study."""
    return ("study", f"{study.kind}-{study.digest}", "result")


def _verbatim_list(sentences: tuple[str, ...]) -> list[Block]:
    """The sentences as they stand; nothing without any."""
    return [Bullets(tuple((Verbatim(one),) for one in sentences))] if sentences else []

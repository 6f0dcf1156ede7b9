"""A comparison as one screen for an audience: what it holds, and where its keys lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from unicodedata import east_asian_width

from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.services.presets import SAMPLE_QUERIES
from rerank_lab.views.bump import Bump, bump_of
from rerank_lab.views.compare import CompareColumn, CompareView

ANSWERS = 3
"""Documents shown of each pipeline."""
ALL = 0
"""The focus that shows all pipelines; 1 is the first pipeline."""

_NAMED_AXES = 3
"""More uprights than these are called by their pipelines' numbers, which are on the keys."""

_QUERY_LINE, _VERDICT_LINE = 70, 134
"""Characters of usual width that a line surely holds."""


@dataclass(frozen=True, slots=True)
class QueryPlace:
    """Where the query on screen stands among those to step through.

    `number` counts from 1 and is 0 for a query that is none of them; `before` and `after` are the
    texts of its neighbours, "" where there is none.
    """

    number: int
    count: int
    before: str
    after: str

    @property
    def words(self) -> str:
        """`3 of 60`, or what else there is to step to; "" for a corpus without queries."""
        if self.number:
            return f"{self.number} of {self.count}"
        return f"{self.count} to come" if self.count else ""


@dataclass(frozen=True, slots=True)
class Presented:
    """What the screen holds. `columns` are those whose answers are shown, `chart` may be None."""

    view: CompareView
    focus: int
    columns: tuple[CompareColumn, ...]
    chart: Bump | None

    @property
    def roomy(self) -> bool:
        """Whether query and verdict take a line each, so that the answers may be larger."""
        return (
            _width(self.view.topic.query.text) <= _QUERY_LINE
            and _width(self.view.verdict) <= _VERDICT_LINE
        )


def presented(view: CompareView, focus: int = ALL) -> Presented:
    """The screen of a comparison; with a focus that exists, the answers of that pipeline alone.

    The chart then runs from the pipeline's first stage to itself. A pipeline without a reranker
    keeps the chart of all.
    """
    if not 1 <= focus <= len(view.columns):
        return Presented(view, ALL, view.columns, _chart(view))
    columns = (view.columns[focus - 1],)
    alone = _chart(replace(view, columns=columns))
    return Presented(view, focus, columns, alone or _chart(view))


def _width(text: str) -> int:
    """Characters, those of East Asian scripts as two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _chart(view: CompareView) -> Bump | None:
    """The ranks of the documents that are shown and of the best judged ones."""
    top = max([*view.topic.grades.values(), 1])
    best = [doc_id for doc_id, grade in view.topic.grades.items() if grade == top]
    heads = [card.doc_id for column in view.columns for card in column.cards[:ANSWERS]]
    chart = bump_of(view, [*heads, *best])
    if chart is None or len(chart.axes) <= _NAMED_AXES:
        return chart
    numbers = {column.spec: str(place) for place, column in enumerate(view.columns, start=1)}
    axes = tuple(
        replace(axis, label=numbers[axis.spec]) if axis.spec is not None else axis
        for axis in chart.axes
    )
    return replace(chart, axes=axes)


def stepped_queries(corpus: Corpus) -> tuple[Query, ...]:
    """The queries of a corpus in the order of a presentation, each text once.

    The judged ones, those chosen for the samples first; all of them where nothing is judged.
    """
    by_id = {query.id: query for query in corpus.queries}
    chosen = [by_id[i] for i in SAMPLE_QUERIES.get(corpus.name, ()) if i in by_id]
    judged = [query for query in corpus.queries if corpus.qrels.get(query.id)]
    return tuple({q.text: q for q in [*chosen, *(judged or corpus.queries)]}.values())


def query_place(corpus: Corpus, text: str) -> QueryPlace:
    """The place of a query on screen. From one of the visitor's own, the next is the first."""
    return place_among([" ".join(query.text.split()) for query in stepped_queries(corpus)], text)


def place_among(texts: Sequence[str], text: str) -> QueryPlace:
    """The place of a query among others. From one that is none of them, the next is the first."""
    if text not in texts:
        return QueryPlace(0, len(texts), "", texts[0] if texts else "")
    place = texts.index(text)
    before = texts[place - 1] if place else ""
    after = texts[place + 1] if place + 1 < len(texts) else ""
    return QueryPlace(place + 1, len(texts), before, after)


def next_focus(focus: int, pipelines: int, step: int) -> int:
    """The focus one key press on: all, the first pipeline, ..., the last, and all again."""
    return (focus + step) % (pipelines + 1)


def focus_of(text: str, pipelines: int) -> int:
    """The focus that a link asks for; ALL when it names no pipeline on screen."""
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 3 else ALL
    return number if number <= pipelines else ALL

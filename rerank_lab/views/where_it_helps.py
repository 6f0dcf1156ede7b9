"""Where a pipeline helps and where it hurts: wins and losses, their documents, what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.first_stage import Headroom
from rerank_lab.evaluation.statistics import Settings
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.evaluate import QueryLine, pipeline_labels, query_lines
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import signed
from rerank_lab.views.text import shorten

MOST_QUERIES = 5
"""So many wins, and so many losses, are told with their documents."""
HEAT_ROWS = 50
"""So many queries are drawn at once in the heat map."""
_MOVED = 3
_QUERY_CHARS = 90


@dataclass(frozen=True, slots=True)
class MovedDocument:
    """A relevant document that changed its rank: None where it is not among the candidates."""

    doc_id: str
    title: str
    grade: int
    before: int | None
    after: int | None

    @property
    def words(self) -> str:
        """`rank 14 → 1`, `rank 3 → none`."""
        places = ["none" if rank is None else str(rank) for rank in (self.before, self.after)]
        return f"rank {' → '.join(places)}"


@dataclass(frozen=True, slots=True)
class QueryChange:
    """A query that a pipeline answers better or worse than the baseline, and what moved."""

    query_id: str
    text: str
    difference: float
    documents: tuple[MovedDocument, ...]

    @property
    def words(self) -> str:
        """`+0.63`: the difference."""
        return signed(self.difference)


@dataclass(frozen=True, slots=True)
class QueryHeat:
    """Queries by pipelines: values of a measure, the biggest disagreements first.

    `first` is the place of the first of these queries among all, from 1 on.
    """

    measure: str
    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    pipelines: tuple[str, ...]
    labels: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    first: int = 1

    def part(self, number: int) -> QueryHeat:
        """So many queries as are drawn at once, `number` from 0 on."""
        rows = slice(number * HEAT_ROWS, (number + 1) * HEAT_ROWS)
        return replace(
            self,
            query_ids=self.query_ids[rows],
            queries=self.queries[rows],
            values=self.values[rows],
            first=self.first + rows.start,
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts: `1 to 50`, `51 to 60`."""
        count = len(self.query_ids)
        starts = range(0, count, HEAT_ROWS)
        return tuple(f"{n + 1:,} to {min(count, n + HEAT_ROWS):,}" for n in starts)


@dataclass(frozen=True, slots=True)
class HelpsView:
    """One pipeline against the baseline, query by query."""

    sentence: str
    wins: tuple[QueryChange, ...]
    losses: tuple[QueryChange, ...]


def helps_view(
    evaluation: Evaluation, primary: str, baseline: str, pipeline: str, titles: Titles
) -> HelpsView:
    """Where `pipeline` wins and loses against `baseline`, the largest changes first."""
    primary, baseline = evaluation.compared_by(primary, baseline)
    labels = pipeline_labels(evaluation.design.pipelines, brief=True)[0]
    place = evaluation.design.pipelines.index(pipeline)
    lines = [line for line in query_lines(evaluation, primary, baseline)
             if line.differences[place] is not None]  # fmt: skip
    tolerance = Settings().tolerance
    wins = sorted((x for x in lines if _gain(x, place) > tolerance), key=lambda x: -_gain(x, place))
    losses = sorted(
        (x for x in lines if _gain(x, place) < -tolerance), key=lambda x: _gain(x, place)
    )
    ties = len(lines) - len(wins) - len(losses)
    sentence = (
        f"{labels[pipeline]} is better than {labels[baseline]} on "
        f"{counted(len(wins), 'query', 'queries')}, worse on {len(losses):,} and the same on "
        f"{ties:,}, by {primary}."
    )
    for word, first in (("win", wins[:1]), ("loss", losses[:1])):
        for line in first:
            sentence += (
                f" Largest {word}: {signed(_gain(line, place))} on “{shorten(line.text, 60)}”."
            )

    def changes(chosen: Sequence[QueryLine]) -> tuple[QueryChange, ...]:
        return tuple(
            QueryChange(
                line.id,
                shorten(line.text, _QUERY_CHARS),
                _gain(line, place),
                _moved(evaluation, line.id, (baseline, pipeline), titles),
            )
            for line in chosen[:MOST_QUERIES]
        )

    return HelpsView(sentence, changes(wins), changes(losses))


def query_heat(evaluation: Evaluation, primary: str, baseline: str) -> QueryHeat:
    """All judged queries by all pipelines."""
    primary, baseline = evaluation.compared_by(primary, baseline)
    specs = evaluation.design.pipelines
    labels = pipeline_labels(specs, brief=True)[0]
    lines = [line for line in query_lines(evaluation, primary, baseline)
             if any(value is not None for value in line.values)]  # fmt: skip
    return QueryHeat(
        primary,
        tuple(line.id for line in lines),
        tuple(shorten(line.text, _QUERY_CHARS) for line in lines),
        specs,
        tuple(labels[spec] for spec in specs),
        tuple(line.values for line in lines),
    )


def headroom_sentence(rows: Sequence[Headroom], labels: Mapping[str, str]) -> str:
    """What the first stage leaves to gain, for the best pipeline; "" without any."""
    if not rows:
        return ""
    best = max(rows, key=lambda row: row.reached)
    return (
        f"{labels[best.pipeline]} reaches {best.reached:.2f} {best.measure}; the best order of its "
        f"candidates would reach {best.oracle:.2f}. They hold {best.recall:.0%} of the relevant "
        f"documents{_empty_words(best)}. Left to gain: {best.gap:.2f} by a better order, "
        f"{best.missed:.2f} by a better first stage."
    )


def headroom_table(rows: Sequence[Headroom], labels: Mapping[str, str]) -> dict[str, list[object]]:
    """Columns of a table: reached, oracle, and what lies between and beyond."""
    name = rows[0].measure if rows else ""
    return {
        "Pipeline": [labels[row.pipeline] for row in rows],
        f"{name} reached": [row.reached for row in rows],
        "Best order of its candidates": [row.oracle for row in rows],
        "Left to rerankers": [row.gap for row in rows],
        "Left to the first stage": [row.missed for row in rows],
        "Relevant among candidates": [100 * row.recall for row in rows],
        "Candidates": [row.candidates for row in rows],
        "Queries without any": [row.empty for row in rows],
    }


def _empty_words(row: Headroom) -> str:
    return f", and none in {counted(row.empty, 'query', 'queries')}" if row.empty else ""


def _gain(line: QueryLine, place: int) -> float:
    return line.differences[place] or 0.0


def _moved(
    evaluation: Evaluation, query_id: str, pair: tuple[str, str], titles: Titles
) -> tuple[MovedDocument, ...]:
    """The relevant documents that moved most, counted near the top more than far below."""
    grades = evaluation.design.qrels.get(query_id, {})
    ranks = []
    for spec in pair:
        cell = evaluation.cells.get((query_id, spec))
        ranks.append(cell.ranking.ranks if cell is not None and cell.ranking is not None else {})
    moved = [
        MovedDocument(doc_id, titles.of(doc_id), grade, ranks[0].get(doc_id), ranks[1].get(doc_id))
        for doc_id, grade in grades.items()
        if grade > 0 and ranks[0].get(doc_id) != ranks[1].get(doc_id)
    ]
    moved.sort(
        key=lambda one: (-one.grade * abs(_height(one.before) - _height(one.after)), one.doc_id)
    )
    return tuple(moved[:_MOVED])


def _height(rank: int | None) -> float:
    return 0.0 if rank is None else 1.0 / rank

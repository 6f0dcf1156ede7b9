"""One query of an evaluation by itself: its values, its documents, and its bump chart.

Everything comes from the rankings that were kept; nothing is run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.views.bump import MAX_LINES, Axis, Bump, BumpLine
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.formatting import counted

TOP = 10


@dataclass(frozen=True, slots=True)
class QueryPanel:
    """What the panel of a query shows.

    `measures` are columns: the pipelines, and a column a measure (None without an answer).
    `documents` are columns too: titles, grades (None for unjudged) and the rank in each pipeline.
    """

    text: str
    sentence: str
    tags: str
    measures: Mapping[str, list[object]]
    documents: Mapping[str, list[object]]
    chart: Bump | None


def query_panel(evaluation: Evaluation, query_id: str, titles: Titles) -> QueryPanel | None:
    """The panel of a query of the evaluation; None for one that it does not have."""
    query = next((one for one in evaluation.design.queries if one.id == query_id), None)
    if query is None:
        return None
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    rankings = _rankings(evaluation, query_id)
    grades = evaluation.design.qrels.get(query_id, {})
    relevant = sum(grade > 0 for grade in grades.values())
    unjudged = {d for ranking in rankings.values() for d in ranking.doc_ids[:TOP]} - grades.keys()
    return QueryPanel(
        query.text,
        f"{counted(relevant, 'relevant document')} among {len(grades):,} judged; "
        f"{len(unjudged):,} unjudged in some top {TOP}.",
        " · ".join(f"{name}: {_tag(value)}" for name, value in query.meta.items()),
        _measures(evaluation, query_id, labels),
        _documents(rankings, grades, labels, titles),
        _chart(rankings, grades, titles),
    )


def _rankings(evaluation: Evaluation, query_id: str) -> dict[str, Ranking]:
    cells = {spec: evaluation.cells.get((query_id, spec)) for spec in evaluation.design.pipelines}
    return {
        spec: cell.ranking
        for spec, cell in cells.items()
        if cell is not None and cell.answered and cell.ranking is not None
    }


def _tag(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _measures(
    evaluation: Evaluation, query_id: str, labels: Mapping[str, str]
) -> dict[str, list[object]]:
    values = evaluation.per_query.get(query_id, {})
    columns: dict[str, list[object]] = {
        "Pipeline": [labels[s] for s in evaluation.design.pipelines]
    }
    for name in evaluation.design.measures:
        columns[name] = [values.get(spec, {}).get(name) for spec in evaluation.design.pipelines]
    return columns


def _documents(
    rankings: Mapping[str, Ranking],
    grades: Mapping[str, int],
    labels: Mapping[str, str],
    titles: Titles,
) -> dict[str, list[object]]:
    """Every document of some top 10, and every relevant one, best rank first."""
    ranks = {spec: ranking.ranks for spec, ranking in rankings.items()}
    tops = (d for ranking in rankings.values() for d in ranking.doc_ids[:TOP])
    doc_ids = list(dict.fromkeys([*tops, *(d for d, grade in grades.items() if grade > 0)]))

    def best(doc_id: str) -> int:
        return min((of_pipeline.get(doc_id, 10**9) for of_pipeline in ranks.values()), default=0)

    doc_ids.sort(key=lambda doc_id: (best(doc_id), doc_id))
    columns: dict[str, list[object]] = {
        "Document": [titles.of(doc_id) for doc_id in doc_ids],
        "Grade": [grades.get(doc_id) for doc_id in doc_ids],
    }
    for spec, of_pipeline in ranks.items():
        columns[labels[spec]] = [of_pipeline.get(doc_id) for doc_id in doc_ids]
    return columns


def _chart(
    rankings: Mapping[str, Ranking], grades: Mapping[str, int], titles: Titles
) -> Bump | None:
    """Relevant documents, and those that cross rank 10 between the pipelines."""
    if len(rankings) < 2:
        return None
    brief = pipeline_labels(list(rankings), brief=True)[0]
    ranks = [ranking.ranks for ranking in rankings.values()]
    heads = [set(ranking.doc_ids[:TOP]) for ranking in rankings.values()]
    in_some_top = dict.fromkeys(d for one in rankings.values() for d in one.doc_ids[:TOP])
    relevant = [d for d, grade in grades.items() if grade > 0 and any(d in row for row in ranks)]
    crossing = [d for d in in_some_top if not all(d in head for head in heads)]
    chosen = list(dict.fromkeys([*relevant, *crossing]))[:MAX_LINES]
    lines = tuple(
        BumpLine(
            doc_id,
            titles.of(doc_id),
            tuple(of_pipeline.get(doc_id) for of_pipeline in ranks),
            f"grade:{max(0, min(3, grades[doc_id]))}" if doc_id in grades else "unjudged",
            grades.get(doc_id),
            False,
        )
        for doc_id in chosen
    )
    axes = tuple(Axis(None, brief[s], len(ranking)) for s, ranking in rankings.items())
    left_out = len(in_some_top.keys() - set(chosen))
    return Bump(axes, lines, TOP, left_out, bool(grades)) if lines else None

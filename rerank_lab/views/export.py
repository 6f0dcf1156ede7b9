"""What is on the Compare page as files: CSV, JSON, TREC run. Same input, same bytes."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.core.types import Run
from rerank_lab.corpora.runs import trec_lines
from rerank_lab.views.compare import CompareColumn, CompareView, shown_document
from rerank_lab.views.rank_changes import moves
from rerank_lab.views.response_formats import SHAPES

HEADER = (
    "query_id", "query", "pipeline", "rank", "doc_id", "score", "scale", "first_stage_rank",
    "grade", "title",
)  # fmt: skip


def to_csv(view: CompareView) -> str:
    """One line a document and pipeline. A free text that a spreadsheet would run as a formula
    begins with an apostrophe."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(HEADER)
    topic = view.topic
    for column in view.ready:
        result, ranking = column.outcome.result, column.outcome.ranking
        assert result is not None
        assert ranking is not None
        for hit, move in zip(ranking, moves(result, topic.corpus), strict=True):
            document = shown_document(topic.corpus, result, hit.doc_id)
            grade = topic.grades.get(hit.doc_id)
            rows.writerow([
                topic.query.id, _one_line(topic.query.text), result.spec, hit.rank, hit.doc_id,
                "" if hit.score is None else repr(hit.score), ranking.scale,
                "" if move.before is None else move.before, "" if grade is None else grade,
                _one_line(document.title),
            ])  # fmt: skip
    return out.getvalue()


def to_json(view: CompareView) -> str:
    """The shape of `rerank-lab rank --json`, with corpus, query and what is judged beside it."""
    topic = view.topic
    document = {
        "corpus": {"name": topic.corpus.name, "content_hash": topic.corpus.content_hash},
        "query": {"id": topic.query.id, "text": topic.query.text},
        "judgments": topic.corpus.basis.to_json(),
        "rankings": [_json_column(view, column) for column in view.columns],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _json_column(view: CompareView, column: CompareColumn) -> dict[str, Any]:
    values: dict[str, Any] = {"pipeline": spec_that_ran(column), "trace": column.trace.to_json()}
    if column.failure is not None:
        values["error"] = column.failure.to_json()
    ranking = column.outcome.ranking
    if ranking is not None and column.outcome.result is not None:
        values["scale"] = ranking.scale
        values["status"] = str(column.outcome.result.status)
        values["hits"] = [
            {"rank": hit.rank, "doc_id": hit.doc_id, "score": hit.score} for hit in ranking
        ]
    return values


def spec_that_ran(column: CompareColumn) -> str:
    """The spec with the page's depth written out: it gives the same ranking anywhere."""
    result = column.outcome.result
    return result.spec if result is not None else str(column.spec)


def to_trec(view: CompareView, column: CompareColumn) -> str:
    """The TREC run file of one finished pipeline; "" when it has not finished."""
    ranking = column.outcome.ranking
    if ranking is None:
        return ""
    spec = spec_that_ran(column)
    tag = re.sub(r"\s+", "", spec)
    return "".join(trec_lines(Run(tag, spec, {view.topic.query.id: ranking})))


def to_lines(view: CompareView, shape: str) -> str:
    """JSON lines in a shape of `SHAPES`, one a finished pipeline that can be told in it.

    "" when there is none, as for orders without scores in Cohere's shape.
    """
    lines = []
    for column in view.ready:
        result = column.outcome.result
        assert result is not None
        try:
            response = SHAPES[shape](result, view.topic.corpus, None)
        except InvalidInput:
            continue
        lines.append(json.dumps(response, ensure_ascii=False, sort_keys=True) + "\n")
    return "".join(lines)


def file_stem(view: CompareView) -> str:
    """A safe beginning for file names: the corpus and the query id."""
    text = f"{view.topic.corpus.name}-{view.topic.query.id}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:80].strip("-.") or "comparison"


def _one_line(text: str) -> str:
    return harmless_cell(" ".join(text.split()))

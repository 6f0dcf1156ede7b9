"""Files of labels that other tools wrote: read, checked against a corpus, and written again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Query
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.checking import LabelCheck, LabelTarget
from rerank_lab.judging.exchange.formats import ExchangeFormat
from rerank_lab.judging.exchange.reading import read_labels
from rerank_lab.judging.exchange.writing import write_grades, write_rows
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.records import JudgeKind
from tests.fuzz.targets.base import named, split_name
from tests.judging.exchange.test_reading import DOCS, QUERIES, SHAPES

_DETAILS = (
    '{"query_id": "q1", "doc_id": "d1", "grade": 2, "judge": "Ada", '
    '"kind": "human", "note": "=1+1", '
    '"at": "2026-03-01T00:00:00+00:00", "seconds": 3.5, "content_hash": "ab"}\n'
)


def label_seeds() -> list[bytes]:
    return [named(name, content) for name, content in SHAPES.items()] + [
        named("rows.jsonl", _DETAILS)
    ]


def read_label_file(data: bytes, _: Path) -> None:
    """A file of labels; what is accepted of it is written in every format."""
    name, content = split_name(data)
    log = ProblemLog()
    target = LabelTarget("shop", QUERIES, DOCS, {}, None, "", JudgeKind.IMPORTED, False,
                         datetime(2026, 3, 1, tzinfo=UTC))  # fmt: skip
    check = LabelCheck(target, log)
    check.add_file(read_labels(Source(name, data=content), ReadOptions(), log))
    for problem in log.problems:
        str(problem).encode()
    texts = {query.id: query.text for query in (*QUERIES, Query("q3", "x"))}
    for form in ExchangeFormat:
        for write in (
            lambda form=form: write_rows(check.judgments, form, texts),
            lambda form=form: write_grades(qrels_of(check.judgments), form, texts, "labels"),
        ):
            try:
                write().encode()
            except LabError as error:
                assert error.hint  # noqa: PT017

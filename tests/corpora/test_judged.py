"""Query files and judgment files in their many shapes."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Query
from rerank_lab.corpora.judged import read_judgments, read_queries
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source

from . import make


def queries(name: str, data: bytes | str, log: ProblemLog | None = None) -> list[Query]:
    source = Source(name, data=data.encode() if isinstance(data, str) else data)
    return list(read_queries(source, ReadOptions(), log or ProblemLog()).queries)


def judgments(
    name: str, data: bytes | str, log: ProblemLog | None = None
) -> dict[str, dict[str, int]]:
    source = Source(name, data=data.encode() if isinstance(data, str) else data)
    return read_judgments(source, ReadOptions(), log or ProblemLog()).qrels


def parquet(**columns: list[object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("q.jsonl", make.jsonl({"_id": "1", "text": "first"}, {"_id": "2", "text": "second"})),
        ("q.json", '[{"id": 1, "query": "first"}, {"id": 2, "query": "second"}]'),
        ("q.csv", "qid,question\n1,first\n2,second\n"),
        ("q.csv", "query;query_id\nfirst;1\nsecond;2\n"),
        ("q.tsv", "1\tfirst\n2\tsecond\n"),
        ("topics.txt", "1\tfirst\n2\tsecond\n"),
        ("q.parquet", parquet(id=["1", "2"], text=["first", "second"])),
    ],
)
def test_queries_with_ids(name: str, data: bytes | str) -> None:
    assert [(q.id, q.text) for q in queries(name, data)] == [("1", "first"), ("2", "second")]


@pytest.mark.parametrize("name", ["q.txt", "q", "q.csv"])
def test_plain_lines_get_ids_from_their_text(name: str) -> None:
    found = queries(name, "how to reset it\n\nwhat is new\n")
    assert found == [Query.of("how to reset it"), Query.of("what is new")]


def test_queries_that_differ_in_case_only_stay_apart() -> None:
    found = queries("q.txt", "Nike\nnike\nNIKE, shoes\n")
    assert [q.text for q in found] == ["Nike", "nike", "NIKE, shoes"]
    assert len({q.id for q in found}) == 3


def test_queries_keep_what_else_is_known() -> None:
    (query,) = queries("q.jsonl", make.jsonl({"_id": "1", "text": "a", "lang": "de"}))
    assert query.meta == {"lang": "de"}


def test_query_problems_are_placed() -> None:
    log = ProblemLog()
    found = queries("q.csv", "id,text\n1,a\n2,\n,c\n1,other\n1,a\n", log)
    assert [q.text for q in found] == ["a"]
    assert [(p.line, p.field) for p in log.problems] == [(3, "text"), (4, "id"), (5, "")]


@pytest.mark.parametrize("data", ["id,language\n1,de\n2,en\n", "{}\n"])
def test_no_query_text_at_all(data: str) -> None:
    with pytest.raises(InvalidInput, match="query"):
        queries("q.jsonl" if data.startswith("{") else "q.csv", data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n2\ta\t-1\n"),
        ("qrels.txt", "1 0 a 2\n1 0 b 0\n2 0 a -1\n"),
        ("qrels.trec", "1\tQ0\ta\t2\n# comment\n1\tQ0\tb\t0\n\n2\tQ0\ta\t-1\n"),
        ("qrels.csv", "query_id,doc_id,relevance\n1,a,2\n1,b,0.0\n2,a,-1\n"),
        ("qrels.csv", "1,a,2\n1,b,0\n2,a,-1\n"),
        (
            "qrels.jsonl",
            make.jsonl(
                {"query_id": 1, "doc_id": "a", "grade": 2},
                {"query_id": 1, "doc_id": "b", "grade": 0},
                {"query_id": 2, "doc_id": "a", "grade": -1},
            ),
        ),
        ("q.parquet", parquet(qid=[1, 1, 2], docid=["a", "b", "a"], label=[2, 0, -1])),
    ],
)
def test_judgments_in_every_shape(name: str, data: bytes | str) -> None:
    assert judgments(name, data) == {"1": {"a": 2, "b": 0}, "2": {"a": -1}}


def test_grades_that_are_not_whole_numbers_and_contradictions() -> None:
    log = ProblemLog()
    rows = "1,a,2\n1,b,high\n1,c,0.5\n1,a,1\n1,a,2\n,d,1\n"
    assert judgments("q.csv", "query_id,doc_id,grade\n" + rows, log) == {"1": {"a": 2}}
    assert [(p.line, p.field) for p in log.problems] == [
        (3, "grade"),
        (4, "grade"),
        (5, ""),
        (7, "query_id"),
    ]


def test_a_broken_trec_line_is_placed() -> None:
    log = ProblemLog()
    assert judgments("qrels", "1 0 a 2\n1 0 b\n1 0 c 1\n", log) == {"1": {"a": 2, "c": 1}}
    assert [p.line for p in log.problems] == [2]


@pytest.mark.parametrize(
    "data", ["query-id\tcorpus-id\tscore\n", "a,b\n1,2\n", "query_id,doc_id,grade\n1,a,good\n"]
)
def test_no_judgment_at_all(data: str) -> None:
    with pytest.raises(InvalidInput, match=r"qrels\.tsv"):
        judgments("qrels.tsv", data)

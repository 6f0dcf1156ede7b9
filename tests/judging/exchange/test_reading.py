"""Judgments in the shapes of other tools, as those tools write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.table_cells import harmless_cell, plain_cell
from rerank_lab.core.types import Query
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.checking import LabelCheck, LabelTarget
from rerank_lab.judging.exchange.reading import read_labels
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.scales import GRADED

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERIES = (Query("q1", "coffee filters"), Query("q2", "-20 degrees"))
DOCS = frozenset({"d1", "d2", "d3"})


def checked(
    name: str,
    content: str | bytes,
    *,
    stored: tuple[Judgment, ...] = (),
    scale: bool = False,
    replace: bool = False,
    judge: str = "",
    **options: str,
) -> tuple[LabelCheck, ProblemLog]:
    log = ProblemLog()
    by_key = {(row.query_id, row.doc_id, row.judge): row for row in stored}
    check = LabelCheck(
        LabelTarget(
            "shop", QUERIES, DOCS, by_key, GRADED if scale else None, judge,
            JudgeKind.IMPORTED, replace, NOW,
        ),
        log,
    )  # fmt: skip
    data = content if isinstance(content, bytes) else content.encode()
    check.add_file(read_labels(Source(name, data=data), ReadOptions(**options), log))  # type: ignore[arg-type]
    return check, log


def graded(check: LabelCheck) -> list[tuple[str, str, int | None, str]]:
    return [(row.query_id, row.doc_id, row.grade, row.judge) for row in check.judgments]


SHAPES = {
    "trec.qrels": "q1 0 d1 3\nq1 0 d2 0\nq2 0 d3 1\n",
    "plain.csv": "query_id,doc_id,grade\nq1,d1,3\nq1,d2,0\nq2,d3,1\n",
    # Quepid's basic export: texts, a space before what a spreadsheet would compute, and a row
    # without a document for a query that nobody rated.
    "basic.csv": "query,docid,rating\ncoffee filters,d1,3.0\ncoffee filters,d2,0.0\n"
    '" -20 degrees",d3,1.0\nunrated,,\n',
    "detailed.csv": "Team Name,Case Name,Case ID,Query Text,Doc ID,Doc Position,Title,Rating\n"
    "OSC,Shop,6,coffee filters,d1,1,,3.0\nOSC,Shop,6,coffee filters,d2,2,,0.0\n"
    "OSC,Shop,6, -20 degrees,d3,1,,1.0\n",
    "lines.jsonl": '{"query_id": "q1", "doc_id": "d1", "grade": 3}\n'
    '{"query_id": "q1", "doc_id": "d2", "grade": 0}\n'
    '{"query_id": "q2", "doc_id": "d3", "grade": 1}\n',
    "ranklib.txt": "3 qid:q1 1:0.5 2:1 # d1\n0 qid:q1 1:0.1 2:0 # d2\n1 qid:q2 1:0 2:0 # d3\n",
    "es-ltr.txt": "# qid:1: coffee filters\n# qid:2: -20 degrees\n#\n"
    "3\tqid:1\t# d1\tx\n0\tqid:1\t# d2\tx\n1\tqid:2\t# d3\tx\n".replace("\tx", ""),
    "quepid-ltr.txt": "3.0 qid:41 # d1 coffee filters\n0.0 qid:41 # d2 coffee filters\n"
    "1.0 qid:42 # d3 -20 degrees\n",
    "opensearch.json": '{"name": "mine", "type": "IMPORT_JUDGMENT", "judgmentRatings": ['
    '{"query": "coffee filters", "ratings": [{"docId": "d1", "rating": "3.000"}, '
    '{"docId": "d2", "rating": "0.000"}]}, '
    '{"query": "-20 degrees", "ratings": [{"docId": "d3", "rating": "1.000"}]}]}',
    "semicolons.csv": "query_id;doc_id;grade\nq1;d1;3\nq1;d2;0\nq2;d3;1\n",
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_same_judgments(name: str) -> None:
    check, log = checked(name, SHAPES[name])

    expected = [("q1", "d1", 3, name), ("q1", "d2", 0, name), ("q2", "d3", 1, name)]
    assert graded(check) == expected, log.lines()
    assert {row.kind for row in check.judgments} == {JudgeKind.IMPORTED}
    assert (check.unknown, check.conflicts) == (0, 0)


def test_a_book_of_quepid_has_a_judge_a_column() -> None:
    book = (
        'query,docid,Ana,ben@example.org," =Eve"\ncoffee filters,d1,3,2,\n" -20 degrees",d3,,0,1\n'
    )

    check, _ = checked("book_1_export.csv", book)

    assert graded(check) == [
        ("q1", "d1", 3, "Ana"),
        ("q1", "d1", 2, "ben@example.org"),
        ("q2", "d3", 0, "ben@example.org"),
        ("q2", "d3", 1, "=Eve"),
    ]


def test_an_opensearch_list_of_a_language_model_is_no_human_one() -> None:
    answer = (
        '{"hits": {"hits": [{"_source": {"type": "LLM_JUDGMENT", "judgmentRatings": '
        '[{"query": "coffee filters", "ratings": [{"rating": "2.0", "docId": "d1"}]}]}}]}}'
    )

    check, _ = checked("answer.json", answer)

    assert [(row.grade, row.kind) for row in check.judgments] == [(2, JudgeKind.LLM)]


def test_judge_kind_note_and_time_come_along() -> None:
    rows = (
        "query_id,doc_id,grade,judge,kind,note,at\n"
        "q1,d1,2,ana,human,'=SUM(A1),2026-02-03T04:05:06+01:00\n"
        "q1,d2,cannot tell,ana,human,,\nq1,d3,1,bot,robot,,yesterday\n"
    )

    check, log = checked("labels.csv", rows)

    first, second, third = check.judgments
    assert (first.note, first.kind, first.judge) == ("=SUM(A1)", JudgeKind.HUMAN, "ana")
    assert first.at == datetime(2026, 2, 3, 3, 5, 6, tzinfo=UTC)
    assert (second.grade, second.at) == (None, NOW)
    assert (third.kind, third.at) == (JudgeKind.IMPORTED, NOW)
    assert [(p.line, p.field) for p in log.problems] == [(4, "kind"), (4, "at")]


def test_every_row_that_cannot_be_used_is_named_by_its_line() -> None:
    rows = (
        "query_id,doc_id,grade\nq1,d1,2\nq9,d1,2\nq1,d9,2\nq1,d1,2\nq1,d1,3\n"
        "q1,d2,high\nq1,d2,7\nq1,,1\nq1,d3,\n"
    )

    check, log = checked("labels.csv", rows, scale=True)

    assert (check.rows, len(check.judgments), check.unknown, check.conflicts) == (9, 1, 2, 1)
    errors = {p.line: p.message for p in log.problems if p.severity == "error"}
    assert sorted(errors) == [3, 4, 6, 7, 8, 9]
    assert "query 'q9'" in errors[3]
    assert "document 'd9'" in errors[4]
    assert "3 after 2 (labels.csv, line 2)" in errors[6]
    assert "'high'" in errors[7]
    assert "not on the scale" in errors[8]
    notes = [p for p in log.problems if p.severity == "info"]
    assert [(p.line, "merged" in p.message) for p in notes] == [(0, False), (5, True)]
    assert all(problem.hint for problem in log.problems if problem.severity == "error")


FAULTY = {
    # Per shape: an unknown query (or document), the same row twice, the same pair graded otherwise.
    "trec.qrels": "q1 0 d1 3\nq9 0 d1 1\nq1 0 d9 1\nq1 0 d1 3\nq1 0 d1 0\n",
    "basic.csv": "query,docid,rating\ncoffee filters,d1,3.0\nnobody asked,d1,1.0\n"
    "coffee filters,d9,1.0\ncoffee filters,d1,3.0\ncoffee filters,d1,0.0\n",
    "detailed.csv": "Team Name,Case Name,Case ID,Query Text,Doc ID,Doc Position,Title,Rating\n"
    "O,S,6,coffee filters,d1,1,,3.0\nO,S,6,nobody asked,d1,1,,1.0\nO,S,6,coffee filters,d9,1,,1.0\n"
    "O,S,6,coffee filters,d1,1,,3.0\nO,S,6,coffee filters,d1,1,,0.0\n",
    "book.csv": "query,docid,Ana\ncoffee filters,d1,3\nnobody asked,d1,1\ncoffee filters,d9,1\n"
    "coffee filters,d1,3\ncoffee filters,d1,0\n",
    "lines.jsonl": "".join(
        f'{{"query_id": "{q}", "doc_id": "{d}", "grade": {g}}}\n'
        for q, d, g in (("q1", "d1", 3), ("q9", "d1", 1), ("q1", "d9", 1), ("q1", "d1", 3),
                        ("q1", "d1", 0))
    ),
    "ranklib.txt": "3 qid:q1 1:0.5 # d1\n1 qid:q9 1:0.1 # d1\n1 qid:q1 1:0 # d9\n"
    "3 qid:q1 1:0.5 # d1\n0 qid:q1 1:0.5 # d1\n",
    "opensearch.json": '{"name": "mine", "type": "IMPORT_JUDGMENT", "judgmentRatings": [\n'
    '{"query": "coffee filters", "ratings": [{"docId": "d1", "rating": "3.000"}]},\n'
    '{"query": "nobody asked", "ratings": [{"docId": "d1", "rating": "1.000"}]},\n'
    '{"query": "coffee filters", "ratings": [{"docId": "d9", "rating": "1.000"}]},\n'
    '{"query": "coffee filters", "ratings": [{"docId": "d1", "rating": "3.000"}]},\n'
    '{"query": "coffee filters", "ratings": [{"docId": "d1", "rating": "0.000"}]}]}',
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_every_shape_names_unknown_double_and_conflicting_rows_by_line(name: str) -> None:
    check, log = checked(name, FAULTY[name])

    assert (check.rows, len(check.judgments), check.unknown, check.conflicts) == (5, 1, 2, 1)
    first = 2 if name.endswith(".csv") else 1  # of a JSON list the line is the entry's number
    problems = sorted(log.problems, key=lambda problem: problem.line)
    places = [(p.severity, p.line) for p in problems]
    assert places == [
        ("error", first + 1), ("error", first + 2), ("info", first + 3), ("error", first + 4),
    ], log.lines()  # fmt: skip
    assert "query" in problems[0].message
    assert "document 'd9'" in problems[1].message
    assert f"line {first}" in problems[2].message
    assert f"line {first}" in problems[3].message


def test_what_the_lab_has_already_is_kept_unless_it_is_to_be_replaced() -> None:
    stored = (
        Judgment("shop", "q1", "d1", 3, "ana", JudgeKind.HUMAN, NOW, note="sure", row_id=1),
        Judgment("shop", "q1", "d2", 1, "ana", JudgeKind.HUMAN, NOW, row_id=2),
    )
    rows = "q1 0 d1 3\nq1 0 d2 0\n"

    check, log = checked("a.qrels", rows, stored=stored, judge="ana")
    assert (check.rows, check.judgments, check.conflicts) == (2, [], 1)
    assert "a.qrels, line 2" in log.lines()[0]

    check, _ = checked("a.qrels", rows, stored=stored, judge="ana", replace=True)
    assert graded(check) == [("q1", "d2", 0, "ana")]
    check, _ = checked("a.qrels", rows, stored=stored, judge="ben")
    assert graded(check) == [("q1", "d1", 3, "ben"), ("q1", "d2", 0, "ben")]


def test_encoding_and_columns_are_read_as_for_other_files() -> None:
    rows = "Frage;Antwort;Wertung;Prüfer\ncoffee filters;d1;2;Jörg\n".encode("cp1252")

    check, _ = checked(
        "urteile.csv", rows, encoding="cp1252",
        columns={"query": "Frage", "document": "Antwort", "grade": "Wertung"},  # type: ignore[arg-type]
    )  # fmt: skip

    assert graded(check) == [("q1", "d1", 2, "urteile.csv")]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM", "\tx", "\rx", "'=1", "''@", "'", ""])
def test_a_cell_is_harmless_and_comes_back(text: str) -> None:
    cell = harmless_cell(text)

    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert plain_cell(cell) == text

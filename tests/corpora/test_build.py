"""Rows to documents: mapping, ids, duplicates, missing values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.corpora.mapping import ColumnMapping, DocumentBuilder, Record, guess_mapping


def build(
    *records: Record, mapping: ColumnMapping | None = None
) -> tuple[DocumentBuilder, ProblemLog]:
    log = ProblemLog()
    builder = DocumentBuilder(log)
    builder.add_file("f.jsonl", iter(list(enumerate(records, 1))), mapping)
    return builder, log


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"_id": "1", "title": "t", "text": "x"}, ColumnMapping("text", "_id", "title")),
        ({"Doc-ID": "1", "Contents": "x"}, ColumnMapping("Contents", "Doc-ID")),
        ({"question": "q?", "answer": "a"}, ColumnMapping("answer", None, "question")),
        ({"sku": "1", "blurb": "a long story about it"}, ColumnMapping("blurb")),
        ({"column 1": "7", "column 2": "the text"}, ColumnMapping("column 2", "column 1")),
        ({"n": 1, "m": 2}, None),
    ],
)
def test_roles_are_guessed_from_names_then_from_lengths(
    record: Record, expected: ColumnMapping | None
) -> None:
    assert guess_mapping([record]) == expected


def test_the_rest_goes_into_meta_unless_chosen() -> None:
    record = {"id": 1, "text": "x", "year": 1999, "empty": "", "metadata": {"url": "u"}}
    builder, _ = build(record)
    assert builder.documents[0].meta == {"year": 1999, "url": "u"}
    builder, _ = build(record, mapping=ColumnMapping("text", "id", meta=("year",)))
    assert builder.documents[0].meta == {"year": 1999}


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="no column 'key', 'body'") as caught:
        build({"id": "1", "text": "x"}, mapping=ColumnMapping("body", "key"))
    assert "id, text" in caught.value.hint
    assert len(caught.value.problems) == 2


def test_duplicate_ids_with_equal_and_with_other_content() -> None:
    builder, log = build(
        {"id": "1", "text": "a"},
        {"id": "1", "text": "a"},
        {"id": "1", "text": "other"},
        {"id": "2", "text": "b"},
    )
    assert [(d.id, d.text) for d in builder.documents] == [("1", "a"), ("2", "b")]
    assert builder.skipped == 2
    error, note = log.problems
    assert (error.severity, error.line) == (Severity.ERROR, 3)
    assert "f.jsonl, line 1" in error.message
    assert (note.severity, note.line) == (Severity.INFO, 2)
    assert "merged" in note.message


def test_rows_without_id_or_text_are_left_out_with_their_field() -> None:
    builder, log = build(
        {"id": "1", "text": "good"},
        {"id": None, "text": "no id"},
        {"id": ["x"], "text": "bad id"},
        {"id": "4", "text": None},
        {"id": "5", "text": {"nested": 1}},
        {"id": 6.0, "text": 42},
    )
    assert [(d.id, d.text) for d in builder.documents] == [("1", "good"), ("6", "42")]
    assert [(p.line, p.field) for p in log.problems] == [
        (2, "id"),
        (3, "id"),
        (4, "text"),
        (5, "text"),
    ]


def test_empty_documents_are_kept_with_a_note() -> None:
    builder, log = build({"id": "1", "text": ""}, {"id": "2", "text": " ", "title": "T"})
    assert len(builder.documents) == 2
    assert [(p.severity, p.line) for p in log.problems] == [(Severity.INFO, 1)]


def test_without_an_id_column_rows_are_numbered() -> None:
    builder, _ = build({"text": "a"}, {"text": "b"})
    assert [d.id for d in builder.documents] == ["d1", "d2"]


def test_ids_lose_characters_that_no_table_can_hold() -> None:
    builder, _ = build({"id": " a\tb\r\nc\x00 ", "text": "x"})
    assert builder.documents[0].id == "a b  c"


def test_cancel_is_seen_between_rows() -> None:
    token = CancelToken()
    token.cancel()
    builder = DocumentBuilder(ProblemLog(), Context(cancel=token))
    rows = ((n, {"text": "x"}) for n in range(10_000))
    with pytest.raises(Cancelled):
        builder.add_file("f", rows, None)
    assert len(builder.documents) < 2000


def test_problems_are_capped_but_counted() -> None:
    records = [{"id": str(n), "text": None} for n in range(200)]
    _, log = build({"id": "x", "text": "a"}, *records)
    assert len(log.problems) == 50
    assert log.count(Severity.ERROR) == 200
    assert log.left_out == 150
    assert log.lines()[-1] == "... and 150 more"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y"])), max_size=12))
def test_ids_are_always_unique_and_every_row_is_accounted_for(rows: list[tuple[str, str]]) -> None:
    builder, log = build(*({"id": doc_id, "text": text} for doc_id, text in rows))
    ids = [document.id for document in builder.documents]
    assert ids == list(dict.fromkeys(doc_id for doc_id, _ in rows))
    assert len(ids) + builder.skipped == len(rows)
    assert log.count(Severity.ERROR) + log.count(Severity.INFO) == builder.skipped

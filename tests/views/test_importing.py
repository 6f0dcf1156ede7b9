"""Bringing a corpus: what the page shows before the import is what the import then does."""

from __future__ import annotations

import csv
import io

import pytest

from rerank_lab.core.problems import Problem, Severity
from rerank_lab.corpora import ColumnMapping, import_corpus, inspect_upload, load_corpus
from rerank_lab.views import importing as views

CSV = "number,headline,story,topic\n7,Pumps,Heat moves,energy\n8,,Gas burns,\n7,Again,Other,x\n"


def test_the_upload_is_described() -> None:
    preview = inspect_upload("news.csv", CSV.encode())
    shown = {fact.label: fact.value for fact in views.upload_facts(preview)}
    assert shown["Format"] == "CSV or TSV"
    assert shown["Rows"] == "3"
    columns = {line.name: line for line in views.column_lines(preview)}
    assert columns["headline"].role == "title"
    assert columns["topic"].filled == pytest.approx(2 / 3)


def test_the_preview_of_documents_is_what_the_import_makes() -> None:
    preview = inspect_upload("news.csv", CSV.encode())
    mapping = views.mapping_of("number", "story", "headline", ["topic"])
    shown = views.mapped_rows(preview, mapping)
    import_corpus(preview, "news", mapping=mapping)
    stored = load_corpus("news").documents
    assert [(r.id, r.title, r.text) for r in shown.rows] == [
        (d.id, d.title, d.text) for d in stored
    ]
    assert shown.rows[0].meta == '{"topic": "energy"}'
    assert "given again with other content" in shown.problems[0].message
    assert shown.problems[0].where == "news.csv"


def test_numbered_rows_without_an_id_column() -> None:
    preview = inspect_upload("news.csv", CSV.encode())
    shown = views.mapped_rows(preview, views.mapping_of(views.NO_COLUMN, "story", "(none)", []))
    assert [row.id for row in shown.rows] == ["d1", "d2", "d3"]
    assert all(row.meta == "" and row.title == "" for row in shown.rows)


def test_a_column_chosen_twice_or_missing_is_told_not_raised() -> None:
    preview = inspect_upload("news.csv", CSV.encode())
    twice = views.mapped_rows(preview, ColumnMapping("story", "story"))
    assert "chosen twice" in twice.error
    gone = views.mapped_rows(preview, ColumnMapping("nowhere"))
    assert "nowhere" in gone.error


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("news.csv", "news"),
        ("corpus.jsonl.gz", "corpus"),
        ("../../etc/passwd", "passwd"),
        ("C:\\tmp\\notes.txt", "notes"),
        (".csv", "My corpus"),
        ("a\x00b\nc.md", "a b c"),
        ("x" * 300 + ".txt", "x" * 80),
    ],
)
def test_a_name_is_suggested_from_the_file(file: str, name: str) -> None:
    assert views.suggested_name(file, ()) == name


def test_a_taken_name_gets_a_number() -> None:
    assert views.suggested_name("Helpdesk.csv", ["helpdesk", "helpdesk 2"]) == "Helpdesk 3"


def test_the_result_in_a_sentence() -> None:
    mapping = ColumnMapping("story", "number")
    report = import_corpus(inspect_upload("news.csv", CSV.encode()), "news", mapping=mapping)
    assert views.import_sentence(report) == '"news" holds 2 documents; 1 entry was left out.'
    assert views.problem_sentence(report.problem_counts) == "1 error"
    assert views.problem_sentence({}) == "Nothing to report"


def test_problems_as_csv_hold_every_field_and_no_formula() -> None:
    problem = Problem(Severity.ERROR, "=HYPERLINK(1)", 'Say "so", please', "a,b.csv", 7, "text")
    rows = list(csv.DictReader(io.StringIO(views.problems_csv([problem]))))
    assert rows[0]["file"] == "a,b.csv"
    assert rows[0]["line"] == "7"
    assert rows[0]["message"] == "'=HYPERLINK(1)"

"""Files that are one document each."""

from __future__ import annotations

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.corpora.mapping import Record
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.registry import choose_reader
from rerank_lab.corpora.source import Source

from . import make


def read(name: str, data: bytes | str) -> tuple[Record, ProblemLog]:
    source = Source(name, data=data.encode() if isinstance(data, str) else data)
    log = ProblemLog()
    ((_, record),) = choose_reader(source)[0].read(source, ReadOptions(), log)
    return record, log


def test_plain_text_is_one_document_titled_by_its_file() -> None:
    record, _ = read("notes/my_file one.txt", "First line\r\nSecond line\n")
    assert record == {
        "id": "notes/my_file_one.txt",
        "title": "my file one",
        "text": "First line\nSecond line",
    }


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Intro\n\n# The title #\n\n## Part\nText", "The title"),
        ("```sh\n# not a title\n```\n## Real one\n", "Real one"),
        ("Under lined\n===========\ntext", "Under lined"),
        ('---\ntitle: "From the front"\n---\n# Heading\n', "From the front"),
        ("No heading at all", "page"),
    ],
)
def test_markdown_title(text: str, title: str) -> None:
    record, _ = read("page.md", text)
    assert record["title"] == title


def test_markdown_keeps_its_sections_in_the_text() -> None:
    record, _ = read("page.md", "# T\n\nOne.\n\n## Part\n\nTwo.")
    assert record["text"] == "# T\n\nOne.\n\n## Part\n\nTwo."


def test_html_gives_title_and_visible_text_only() -> None:
    record, _ = read(
        "page.html",
        "<!doctype html><html><head><title> A  page </title><style>p{}</style>"
        "<script>evil()</script></head><body><h1>Head</h1><p>One <b>bold</b> word.</p>"
        "<script>more()</script>tail<!-- hidden --><ul><li>x</li><li>y &amp; z</li></ul></body>",
    )
    assert record["title"] == "A page"
    assert record["text"] == "Head\nOne bold word.\ntail\nx\ny & z"


def test_html_declared_encoding_is_used() -> None:
    text = '<html><head><meta charset="iso-8859-2"></head><body>Zażółć gęślą</body></html>'
    assert read("a.html", text.encode("iso-8859-2"))[0]["text"] == "Zażółć gęślą"


@pytest.mark.parametrize("data", ["<!-- only a comment -->", "<html></html>", "plain"])
def test_odd_html_does_not_crash(data: str) -> None:
    assert read("a.html", data)[0]["text"] == ("plain" if data == "plain" else "")


def test_xml_declaration_in_xhtml() -> None:
    data = '<?xml version="1.0" encoding="UTF-8"?><html><body><p>Ünï</p></body></html>'
    assert read("a.xhtml", data)[0]["text"] == "Ünï"


def test_pdf_pages_become_one_text() -> None:
    record, log = read("paper.pdf", make.pdf("Hello page one", "And page two"))
    assert record["text"] == "Hello page one\n\nAnd page two"
    assert record["pages"] == 2
    assert not log.problems


def test_pdf_with_some_empty_pages_says_so() -> None:
    _, log = read("paper.pdf", make.pdf("Hello", "", ""))
    (problem,) = log.problems
    assert problem.severity is Severity.WARNING
    assert "2 of 3 pages have no text, the first is page 2" in problem.message


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (make.pdf("", ""), "no text in its 2 pages", "OCR"),
        (make.pdf("secret", password="key"), "protected by a password", "without the password"),
        (b"%PDF-1.4\nrubbish", "cannot be read as PDF", "save it again"),
    ],
)
def test_pdf_that_cannot_be_used_says_why_and_what_to_do(
    data: bytes, message: str, hint: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        read("scan.pdf", data)
    assert "scan.pdf" in caught.value.message
    assert hint in caught.value.hint


def test_docx_paragraphs_and_tables_in_order() -> None:
    record, _ = read("a.docx", make.docx("One.", "Two.", table=("x", "y")))
    assert record["text"] == "One.\nTwo.\nx\ty\nThe end."


def test_broken_docx() -> None:
    with pytest.raises(InvalidInput, match="cannot be read as DOCX"):
        read("a.docx", b"PK\x03\x04 rubbish")


def test_a_file_is_what_its_bytes_say() -> None:
    assert read("wrongly-named.txt", make.pdf("Hello"))[0]["text"] == "Hello"
    assert choose_reader(Source("x", data=b'{"text": "a"}\n'))[0].name == "jsonl"
    assert choose_reader(Source("x", data=b"<html><body>"))[0].name == "html"
    assert choose_reader(Source("x", data=b"1\tone\n2\ttwo\n"))[0].name == "csv"
    assert choose_reader(Source("x", data=b"words"))[0].name == "text"

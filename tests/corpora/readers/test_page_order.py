"""The text of pages as people read it: columns of a PDF, the main part of HTML."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.pdf_columns import in_reading_order
from rerank_lab.corpora.readers.registry import reader_named
from rerank_lab.corpora.source import Source

from .. import make

LEFT = (
    "Ostriches are the tallest birds that",
    "live today; they cannot fly but run",
    "faster than any horse over a short",
    "distance on the open grassland of",
    "southern Africa, where they live.",
)
RIGHT = (
    "Wrens are small brown birds whose",
    "loud song is heard in spring. They",
    "build domed nests of moss and leaf",
    "in hedges, and feed on insects and",
    "spiders that they find near ground.",
)


def text_of(name: str, data: bytes) -> str:
    reader = reader_named(Path(name).suffix[1:])
    ((_, record),) = reader.read(Source(name, data=data), ReadOptions(), ProblemLog())  # type: ignore[misc]
    return str(record["text"])


def test_two_columns_of_a_pdf_are_read_one_after_the_other() -> None:
    head, foot = "Tall birds and small birds compared on one page of paper", "Both live in Africa."
    lines = [(120, 740, head)]
    for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        lines += [(50, 700 - 14 * number, left), (320, 700 - 14 * number, right)]
    lines += [(250, 600, foot)]
    text = text_of("birds.pdf", make.placed_pdf(lines))
    assert text.split("\n") == [head, *LEFT, *RIGHT, foot]


def test_a_table_in_a_pdf_stays_row_by_row() -> None:
    rows = [("Bird", "Height", "Weight"), ("Ostrich", "2.8 m", "150 kg"), ("Emu", "1.9 m", "55 kg")]
    rows += [("Wren", "0.1 m", "9 g"), ("Owl", "0.4 m", "1 kg"), ("Robin", "0.1 m", "18 g")]
    lines = [
        (x, 740 - 14 * number, cell)
        for number, row in enumerate(rows)
        for x, cell in zip((50, 200, 350), row, strict=True)
    ]
    assert "Ostrich 2.8 m 150 kg" in text_of("birds.pdf", make.placed_pdf(lines))


def test_three_columns_and_a_page_without_any() -> None:
    names = ("left", "middle", "right")
    laid_out = "\n".join(
        "".join(f"{name} words of line {number}".ljust(30) for name in names) for number in range(5)
    )
    ordered = in_reading_order(laid_out)
    assert ordered is not None
    firsts = [line.split()[0] for line in ordered.split("\n")]
    assert firsts == [name for name in names for _ in range(5)]
    assert in_reading_order("One line of text.\n\nAnother  with a gap.\n") is None
    assert in_reading_order("") is None


PAGE = """<html><head><title>Birds</title></head><body>
<div class="menu"><a href="a">Home</a><a href="b">All pages</a></div>
<div role="search"><label>Search</label><input></div>
<main><h1>Birds<a class="headerlink" href="#x">&para;</a></h1>
<p>Ostriches are <b>ta</b>ll and run on open grassland<sup>2</sup>.</p>
<table><tr><td>Ostrich</td><td>2.8 m</td></tr></table><pre>x = 1
y = 2</pre></main>
<div>Terms of use</div></body></html>"""


def test_the_main_part_of_a_page_is_its_text() -> None:
    assert text_of("birds.html", PAGE.encode()) == (
        "Birds\nOstriches are tall and run on open grassland2.\nOstrich 2.8 m\nx = 1\ny = 2"
    )


@pytest.mark.parametrize("inner", ["", "Menu", "<main>first</main><main>second</main>"])
def test_a_page_whose_main_part_is_not_its_text_is_read_whole(inner: str) -> None:
    words = "A long paragraph about tall birds stands outside of what the page calls its main part."
    text = text_of("birds.html", f"<body><main>{inner}</main><p>{words}</p></body>".encode())
    assert words in text


def test_the_pages_of_a_site_are_documents(tmp_path: Path) -> None:
    folder = make.folder(tmp_path / "site", {"index.html": PAGE, "b.pdf": make.pdf("Owls hunt.")})
    assert [d.title for d in load_corpus(folder).documents] == ["b", "Birds"]

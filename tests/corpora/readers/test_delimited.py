"""Tab separated files: quotes are text unless the file shows that they are markup."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.registry import reader_named
from rerank_lab.corpora.source import Source


def cells(name: str, data: str) -> tuple[list[list[str]], ProblemLog]:
    log = ProblemLog()
    rows = reader_named("csv").read(Source(name, data=data.encode()), ReadOptions(), log)
    return [list(record.values()) for _, record in rows], log  # type: ignore[union-attr]


def test_a_quote_that_opens_a_passage_is_text() -> None:
    lines = [
        ["0", "Kettles need descaling."],
        ["1", '"The Wire" is a series.'],
        ["2", 'A 7" single spins at 45.'],
        ["3", '"Limescale is chalk.'],
        ["4", "Green tea steeps."],
    ]
    rows, log = cells("collection.tsv", "".join("\t".join(line) + "\n" for line in lines))
    assert rows == lines
    assert not log.problems


def test_a_quote_closed_lines_later_merges_nothing() -> None:
    lines = [
        ["1", "Kettles."],
        ["2", '"Limescale, says the book.'],
        ["3", "Green tea."],
        ["4", 'The book adds: use vinegar."'],
        ["5", "Chains."],
    ]
    rows, log = cells("collection.tsv", "".join("\t".join(line) + "\n" for line in lines))
    assert rows == lines
    assert log.tallies["collection.tsv"]["lines"] == 5


def test_a_single_passage_in_quotes_keeps_them() -> None:
    assert cells("a.tsv", '1\t"All of it."\n2\tNone.\n3\tNor here.\n')[0][0] == [
        "1",
        '"All of it."',
    ]


def test_quoted_cells_of_a_spreadsheet_are_opened() -> None:
    rows, _ = cells("a.tsv", 'id\ttext\n1\t"say ""yes"" twice"\n2\tplain\n')
    assert rows == [["1", 'say "yes" twice'], ["2", "plain"]]
    rows, _ = cells("a.tsv", '"id"\t"text"\n"1"\t"first text"\n"2"\t"second text"\n')
    assert rows == [["1", "first text"], ["2", "second text"]]


def test_quoted_cells_with_line_ends_and_tabs_are_one_cell() -> None:
    rows, log = cells("a.tsv", 'id\ttext\n1\t"two\nlines"\n2\t"a\ttab"\n3\tplain\n')
    assert rows == [["1", "two\nlines"], ["2", "a\ttab"], ["3", "plain"]]
    assert log.tallies["a.tsv"]["lines inside quoted cells"] == 1


def test_empty_cells_at_the_end_of_a_row_lose_nothing() -> None:
    rows, log = cells("a.csv", "id,text\n1,coffee,,\n2,tea\n")
    assert rows == [["1", "coffee"], ["2", "tea"]]
    assert not log.problems


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20)


@example(["text", "coffee", "tea"])
@given(st.lists(_TEXT.filter(str.strip), min_size=3, max_size=8))
def test_every_line_of_an_unquoted_collection_is_one_row(texts: list[str]) -> None:
    data = "".join(f"{number}\t{text}\n" for number, text in enumerate(texts))
    rows, _ = cells("collection.tsv", data)
    assert [row[0] for row in rows] == [str(number) for number in range(len(texts))]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), min_size=2))
def test_every_cell_of_a_quoted_table_survives(texts: list[str]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", quoting=csv.QUOTE_ALL)
    writer.writerows([["id", "text"], *([str(n), text] for n, text in enumerate(texts))])
    rows, log = cells("a.tsv", out.getvalue())
    assert [row[1] for row in rows] == texts
    assert not log.problems

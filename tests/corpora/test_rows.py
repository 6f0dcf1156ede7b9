"""Tables of records: what is read, what is left out, and how each problem is placed."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.corpora.limits import Limits
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.registry import choose_reader
from rerank_lab.corpora.source import Source


def read(name: str, data: bytes | str, **options: object) -> tuple[list[Row], ProblemLog]:
    source = Source(name, data=data.encode() if isinstance(data, str) else data)
    log = ProblemLog()
    given_options = ReadOptions(**options)  # type: ignore[arg-type]
    return list(choose_reader(source)[0].read(source, given_options, log)), log


def test_broken_json_on_line_7_names_file_line_and_column_and_keeps_the_rest() -> None:
    lines = [json.dumps({"id": str(n), "text": "a"}) for n in range(1, 11)]
    lines[6] = '{"id": "7", "text": "a'
    rows, log = read("mine.jsonl", "\n".join(lines))
    assert [line for line, _ in rows] == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    (problem,) = log.problems
    assert (problem.file, problem.line, problem.severity) == ("mine.jsonl", 7, Severity.ERROR)
    assert "column 21" in problem.message
    assert problem.hint


def test_lines_that_are_no_objects_are_each_reported() -> None:
    rows, log = read("a.jsonl", '[1]\n"text"\n12\nnull\n{"text": "good"}\n')
    assert [record for _, record in rows] == [{"text": "text"}, {"text": "good"}]
    assert [(p.line, p.message.split(",")[0]) for p in log.problems] == [
        (1, "The line holds an array"),
        (3, "The line holds a number"),
        (4, "The line holds true"),
    ]


def test_very_deep_json_is_a_problem_of_its_line_not_a_crash() -> None:
    rows, log = read("a.jsonl", "[" * 200_000 + "\n" + '{"text": "good"}\n')
    assert len(rows) == 1
    assert "nested too deeply" in log.problems[0].message
    with pytest.raises(InvalidInput, match="nested too deeply"):
        read("a.json", "[" * 200_000)


def test_a_huge_line_is_left_out_and_the_next_one_read() -> None:
    data = '{"text": "' + "x" * 5000 + '"}\n{"text": "good"}\n'
    rows, log = read("a.jsonl", data, limits=Limits(line=1000))
    assert rows == [(2, {"text": "good"})]
    assert log.problems[0].line == 1
    assert "longer than 1,000 characters" in log.problems[0].message


def test_separators_of_unicode_do_not_end_a_json_line() -> None:
    rows, log = read("a.jsonl", '{"text": "one\u2028two\x85three"}\r\n{"text": "b"}\r\n')
    assert [record["text"] for _, record in rows] == ["one\u2028two\x85three", "b"]
    assert not log.problems


def test_json_array_and_object_around_an_array() -> None:
    assert [r for _, r in read("a.json", '[{"text": "x"}, "y"]')[0]] == [
        {"text": "x"},
        {"text": "y"},
    ]
    assert [r for _, r in read("a.json", '{"docs": [{"text": "x"}]}')[0]] == [{"text": "x"}]
    with pytest.raises(InvalidInput, match=r"a\.json, line 2"):
        read("a.json", '[{"text": "x"},\n{"text": }]')


def test_json_lines_in_a_file_called_json() -> None:
    assert len(read("a.json", '{"text": "x"}\n{"text": "y"}\n')[0]) == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_separator_and_quoted_cells_over_lines(delimiter: str) -> None:
    rows = [["id", "text"], ["1", f'say "yes"{delimiter} twice'], ["2", "two\nlines"], ["3", "c"]]
    out = io.StringIO()
    import csv

    csv.writer(out, delimiter=delimiter).writerows(rows)
    found, log = read("a.csv", out.getvalue())
    assert [list(record.values()) for _, record in found] == rows[1:]
    assert [line for line, _ in found] == [2, 3, 5]
    assert not log.problems


def test_csv_with_an_unclosed_quote_says_where_it_opens() -> None:
    data = 'id,text\n1,good\n2,also good\n3,"never closed\n4,swallowed\n5,swallowed\n'
    rows, log = read("a.csv", data)
    assert [record["id"] for _, record in rows] == ["1", "2"]
    (problem,) = log.problems
    assert problem.line == 4
    assert "never closed" in problem.message
    assert "3 lines" in problem.message


def test_csv_row_with_too_many_cells_and_row_with_stray_quote() -> None:
    rows, log = read("a.csv", 'id,text\n1,a,b\n2,"x"y\n3,good\n')
    assert [record["id"] for _, record in rows] == ["3"]
    assert [problem.line for problem in log.problems] == [2, 3]


def test_csv_without_header_gets_numbered_columns_unless_told_otherwise() -> None:
    data = "1,The first text is rather long\n2,The second text is long as well\n"
    assert list(read("a.csv", data)[0][0][1]) == ["column 1", "column 2"]
    assert len(read("a.csv", data)[0]) == 2
    assert next(iter(read("a.csv", data, header=True)[0][0][1])) == "1"


def test_csv_words_over_numbers_are_a_header() -> None:
    rows, log = read("a.csv", "foo,bar\n1,2\n3,4\n")
    assert [record for _, record in rows] == [{"foo": "1", "bar": "2"}, {"foo": "3", "bar": "4"}]
    assert log.problems == ()


def test_csv_first_row_that_may_be_a_header_is_kept_as_data_and_told() -> None:
    rows, log = read("a.csv", "foo,bar\nred,blue\nnear,far\n")
    assert rows[0][1] == {"column 1": "foo", "column 2": "bar"}
    (problem,) = log.problems
    assert (problem.severity, problem.line) == (Severity.INFO, 1)
    assert "first row was taken as data" in problem.message
    assert read("a.csv", "foo,bar\nred,blue\n", header=False)[1].problems == ()
    assert read("a.csv", "1,red car\n2,blue car\n")[1].problems == ()


def test_csv_single_column_with_known_name() -> None:
    rows, _ = read("a.csv", "text\nfirst\nsecond\n")
    assert [record for _, record in rows] == [{"text": "first"}, {"text": "second"}]


def test_repeated_and_empty_column_names_stay_usable() -> None:
    rows, _ = read("a.csv", "id,text,text,\n1,a,b,c\n")
    assert rows[0][1] == {"id": "1", "text": "a", "text (3)": "b", "column 4": "c"}


def test_parquet_and_broken_parquet() -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", "b"], "tags": [["x"], []]}), out)
    rows, _ = read("a.parquet", out.getvalue())
    assert rows[0] == (1, {"id": 1, "text": "a", "tags": ["x"]})
    with pytest.raises(InvalidInput, match="cannot be read as Parquet"):
        read("a.parquet", out.getvalue()[:40])


def test_office_files_are_refused_with_advice() -> None:
    with pytest.raises(InvalidInput) as caught:
        read("a.xlsx", b"PK\x03\x04 whatever")
    assert "CSV" in caught.value.hint


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["_id", "text", "title", "n"]),
            st.one_of(st.text(max_size=30), st.integers(), st.none()),
        ),
        max_size=20,
    )
)
def test_any_records_survive_json_lines(records: list[dict[str, object]]) -> None:
    data = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    rows, log = read("a.jsonl", data.encode("utf-8", "surrogatepass") or b" ")
    assert [record for _, record in rows] == records
    assert log.count(Severity.ERROR) == 0


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=2, max_size=2),
        min_size=1,
        max_size=10,
    )
)
def test_any_cells_survive_csv(cells: list[list[str]]) -> None:
    import csv

    out = io.StringIO()
    csv.writer(out).writerows([["id", "text"], *cells])
    rows, log = read("a.csv", out.getvalue())
    expected = [row for row in cells if any(cell.strip() for cell in row)]
    assert [list(record.values()) for _, record in rows] == expected
    assert not log.problems

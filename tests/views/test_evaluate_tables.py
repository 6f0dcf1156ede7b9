"""Tables for a text: marks of significance, and texts that LaTeX and Markdown could misread."""

from __future__ import annotations

import io
import re

import pyarrow.parquet
import pytest

from rerank_lab.decision.report.markdown import markdown_text
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.views import evaluate_export as export
from rerank_lab.views.evaluate_tables import (
    latex_text,
    letter,
    results_latex,
    results_markdown,
)
from tests.views import evaluations

FIRST, BEST, SECOND = "bm25", "bm25 >> identity", 'bm25 >> overlap(query="a_b & 50% #1 ~^{\\x}")'


def three() -> Evaluation:
    return evaluations.evaluation(
        {FIRST: [4] * 40, BEST: [1] * 40, SECOND: [2] * 40}, measures=("RR@10", "Judged@10")
    )


def test_letters_behind_a_value_name_the_pipelines_that_it_beats() -> None:
    shown = results_markdown(three())
    assert "| a | bm25 | 0.250 | 0.100 | 0.15 s |" in shown
    assert "| **1.000**<sup>ac</sup> | 0.100 |" in shown
    assert "| 0.500<sup>a</sup> | 0.100 |" in shown
    assert "paired randomisation test on the 40 queries that all answered, Holm" in shown
    table = results_latex(three())
    assert r"\textbf{1.000}\textsuperscript{ac} & 0.100 &" in table
    assert r" & 0.500\textsuperscript{a} & " in table


def test_where_nothing_is_compared_there_are_no_marks() -> None:
    few = results_markdown(evaluations.evaluation({FIRST: [1] * 9, BEST: [2] * 2}))
    assert "<sup>" not in few
    assert "Letters" not in few


def test_the_latex_is_whole_whatever_a_pipeline_is_called() -> None:
    table = results_latex(three())
    assert r"a\_b \& 50\% \#1 \textasciitilde{}\textasciicircum{}\{\textbackslash{}" in table
    plain = re.sub(r"\\[\\{}&%$#_]", "", table)
    assert plain.count("{") == plain.count("}")
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", table)
    assert columns is not None
    rows = re.findall(r"^.* \\\\$", table, re.M)
    cells = [len(re.sub(r"\\&", "", row).split("&")) for row in rows]
    assert cells == [len(columns[1])] * 4
    begun = re.findall(r"\\begin\{(\w+)\}", table)
    assert begun == re.findall(r"\\end\{(\w+)\}", table)[::-1]
    assert re.sub(r"\\[#$%&_{}]", "", latex_text("#$%&_{}~^\\")).count("\\text") == 3
    assert latex_text("a--b\nc") == "a-{}-b c"


def test_markdown_shows_markup_instead_of_obeying_it() -> None:
    assert markdown_text("<b>|*x*_y_`z`[a](b)\n# &") == (
        r"&lt;b&gt;\|\*x\*\_y\_\`z\`\[a\](b) \# &amp;"
    )


def test_there_are_letters_for_any_number_of_pipelines() -> None:
    assert [letter(place) for place in (0, 25, 26, 27, 701, 702)] == [
        "a", "z", "aa", "ab", "zz", "aaa",
    ]  # fmt: skip


def test_parquet_holds_what_csv_holds_with_its_types() -> None:
    of = evaluations.evaluation({FIRST: [2, None], BEST: [1, 1]})
    results = pyarrow.parquet.read_table(io.BytesIO(export.results_parquet(of))).to_pylist()
    assert [row["RR@10"] for row in results] == [0.5, 1.0]
    assert list(results[0]) == export.results_csv(of).splitlines()[0].split(",")
    queries = pyarrow.parquet.read_table(io.BytesIO(export.queries_parquet(of))).to_pylist()
    assert [row["RR@10"] for row in queries] == [0.5, 1.0, None, 1.0]
    assert list(queries[0]) == export.queries_csv(of).splitlines()[0].split(",")
    assert queries[2]["error"] == "The model broke."


@pytest.mark.parametrize("suffix", export.RESULT_FILES)
def test_every_table_has_the_same_bytes_for_the_same_results(suffix: str) -> None:
    make = export.RESULT_FILES[suffix]
    assert make(three(), "", "") == make(three(), "", "")

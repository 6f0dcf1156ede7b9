"""The table of results for a text: Markdown and LaTeX, with marks of significance as ranx prints.

A pipeline has a letter; the letters behind a value name the pipelines that it significantly beats
on that measure. The best value of a measure is bold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.decision.report.markdown import markdown_table, markdown_text
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.columns import ResultColumn, ResultRow, ResultTable
from rerank_lab.evaluation.measure_names import tells_quality
from rerank_lab.evaluation.pairwise import beats
from rerank_lab.evaluation.statistics import Settings
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import cell_text

"""Measures whose higher value is no better result: without marks, and none of them is best."""
_SETTINGS = Settings()
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "–": r"\textendash{}",
    "−": "$-$",
}


@dataclass(frozen=True, slots=True)
class MarkedCell:
    """A value in words, the letters of the pipelines that it beats, and what stands beside it."""

    text: str
    beaten: tuple[str, ...] = ()
    best: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class MarkedTable:
    """Headings and rows of the results, each row with its letter first; and what the marks mean."""

    headings: tuple[str, ...]
    rows: tuple[tuple[MarkedCell, ...], ...]
    numbers: tuple[bool, ...]
    """By column, whether it holds numbers."""
    caption: str


def letter(place: int) -> str:
    """a, b, ... z, aa, ab, ...: the letter of the pipeline at this place, from 0."""
    word = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        word = chr(ord("a") + rest) + word
    return word


def marked_table(
    evaluation: Evaluation,
    primary: str = "",
    baseline: str = "",
    names: Mapping[str, str] | None = None,
) -> MarkedTable:
    """The results with their marks. Unknown names fall back to the first of the design.

    Args:
        evaluation: Finished or not.
        primary: The measure that pipelines are compared by.
        baseline: The pipeline that the others are compared with.
        names: How pipelines are called, by spec; by default by their specs.
    """
    table = evaluation.table(primary, baseline)
    columns = table.on("paper")
    beaten = {
        column.heading: beaten_letters(evaluation, column.heading)
        for column in columns
        if has_marks(column)
    }
    called = names or {}
    rows = [
        (
            MarkedCell(letter(place)),
            *(
                MarkedCell(called[row.spec])
                if column.csv == "pipeline" and row.spec in called
                else _cell(column, row, table, beaten)
                for column in columns
            ),
        )
        for place, row in enumerate(table.rows)
    ]
    return MarkedTable(
        ("#", *(column.heading for column in columns)),
        tuple(rows),
        (False, *(column.unit != "text" for column in columns)),
        _caption(evaluation),
    )


def results_markdown(
    evaluation: Evaluation,
    primary: str = "",
    baseline: str = "",
    names: Mapping[str, str] | None = None,
) -> str:
    """A Markdown table, and below it what its marks mean; `names` is how pipelines are called."""
    table = marked_table(evaluation, primary, baseline, names)
    rows = [list(map(markdown_text, table.headings))]
    rows += [list(map(_markdown, row)) for row in table.rows]
    return f"{markdown_table(rows, table.numbers)}\n\n{markdown_text(table.caption)}\n"


def results_latex(evaluation: Evaluation, primary: str = "", baseline: str = "") -> str:
    r"""A `table` with booktabs rules, ready for `\input`."""
    table = marked_table(evaluation, primary, baseline)
    places = "".join("r" if number else "l" for number in table.numbers)
    heads = " & ".join(rf"\textbf{{{latex_text(heading)}}}" for heading in table.headings)
    return "\n".join(
        [
            r"% Preamble: \usepackage[T1]{fontenc} \usepackage{textcomp} \usepackage{booktabs}",
            r"\begin{table}[ht]",
            r"\centering",
            rf"\caption{{{latex_text(table.caption)}}}",
            rf"\label{{tab:{evaluation.id}}}",
            rf"\begin{{tabular}}{{{places}}}",
            r"\toprule",
            rf"{heads} \\",
            r"\midrule",
            *(rf"{' & '.join(map(_latex, row))} \\" for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it stands, on one line."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    escaped = "".join(_LATEX.get(character, character) for character in plain)
    return re.sub("-(?=-)", "-{}", escaped)


def has_marks(column: ResultColumn) -> bool:
    """Whether the values of a column are compared: those of a measure of quality."""
    return column.unit == "measure" and tells_quality(column.heading)


def beaten_letters(evaluation: Evaluation, name: str) -> dict[str, tuple[str, ...]]:
    """By pipeline, the letters of those that it beats; nothing where too little is compared."""
    pipelines = evaluation.design.pipelines
    if not evaluation.comparable:
        return {}
    values = {spec: evaluation.values(spec, name, common=True) for spec in pipelines}
    letters = {spec: letter(place) for place, spec in enumerate(pipelines)}
    outcomes = beats({spec: by_query for spec, by_query in values.items() if by_query}, _SETTINGS)
    return {spec: tuple(letters[worse] for worse in beaten) for spec, beaten in outcomes.items()}


def _cell(
    column: ResultColumn,
    row: ResultRow,
    table: ResultTable,
    beaten: dict[str, dict[str, tuple[str, ...]]],
) -> MarkedCell:
    text = cell_text(column, row)
    if column.heading not in beaten or column.value(row) is None:
        return MarkedCell(text, remark=column.remark(row))
    values = {cell_text(column, one) for one in table.rows if column.value(one) is not None}
    return MarkedCell(
        text,
        beaten[column.heading].get(row.spec, ()),
        best=len(values) > 1 and text == max(values, key=float),
        remark=column.remark(row),
    )


def _caption(evaluation: Evaluation) -> str:
    design = evaluation.design
    size = counted(len(design.queries), "query", "queries")
    caption = f"Results on {design.corpus}, {size}."
    if not evaluation.comparable:
        return caption
    common = f"{len(evaluation.common):,}"
    return (
        f"{caption} Bold: the best value of a measure. Letters behind a value: pipelines that it "
        f"significantly beats (two-sided paired randomisation test on the {common} queries that "
        "all answered, Holm-corrected over all pairs of a measure, "
        f"p < {1 - _SETTINGS.level:.2g})."
    )


def _markdown(cell: MarkedCell) -> str:
    text = markdown_text(cell.text)
    marks = f"<sup>{_joined(cell.beaten)}</sup>" if cell.beaten else ""
    remark = f" ({markdown_text(cell.remark)})" if cell.remark else ""
    return f"{f'**{text}**' if cell.best else text}{marks}{remark}"


def _latex(cell: MarkedCell) -> str:
    text = latex_text(cell.text)
    marks = rf"\textsuperscript{{{_joined(cell.beaten)}}}" if cell.beaten else ""
    remark = f" ({latex_text(cell.remark)})" if cell.remark else ""
    value = rf"\textbf{{{text}}}" if cell.best else text
    return f"{value}{marks}{remark}"


def _joined(letters: tuple[str, ...]) -> str:
    """The letters as one word; with commas where one of them has two characters."""
    return ("," if any(len(one) > 1 for one in letters) else "").join(letters)

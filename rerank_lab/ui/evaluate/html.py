"""The HTML of the table of results. Every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.evaluation.experiments.columns import ResultColumn, ResultRow
from rerank_lab.ui.compare.cards import escape
from rerank_lab.views.evaluate import EvaluateView, interval, interval_scale
from rerank_lab.views.evaluate_lines import difference_line, ledger_line, tags
from rerank_lab.views.results_table import cell_text


def table(view: EvaluateView, colours: Mapping[str, int]) -> str:
    """A row a pipeline, with the columns of the table of results that this page shows."""
    heads = "".join(
        f'<th{"" if column.unit == "text" else _NUMBER} scope="col">{escape(column.heading)}</th>'
        for column in view.columns
    )
    scale = interval_scale(view.rows)
    body = "".join(
        f"<tr>{''.join(_cell(view, column, row, colours, scale) for column in view.columns)}</tr>"
        for row in view.rows
    )
    return (
        '<div class="rl-strip"><table class="rl-table rl-results"><thead><tr>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_NUMBER = ' class="rl-n"'


def _cell(
    view: EvaluateView,
    column: ResultColumn,
    row: ResultRow,
    colours: Mapping[str, int],
    scale: float,
) -> str:
    if column is view.columns[0]:
        return _pipeline(view, row, colours.get(row.spec, 0))
    text, heading = escape(cell_text(column, row)), f' data-heading="{escape(column.heading)}"'
    if column.unit == "text":
        return f"<td{heading}>{text}</td>"
    if column.unit == "difference" and row.paired is not None:
        return f"<td{_NUMBER}{heading}>{_bar(row, scale)}{text}{_small(interval(row.paired))}</td>"
    best = " rl-value-best" if row.best and column.heading == view.primary else ""
    return f'<td class="rl-n{best}"{heading}>{text}{_small(column.remark(row))}</td>'


def _pipeline(view: EvaluateView, row: ResultRow, slot: int) -> str:
    marks = "".join(f' <span class="rl-tag">{tag}</span>' for tag in tags(row, view.rows))
    return (
        '<td class="rl-pipeline">'
        f'<span class="rl-dot" style="background:var(--rl-p{slot})"></span> '
        f'<span class="rl-name" title="{escape(row.spec)}">{escape(row.label)}</span>{marks}'
        f"{_small(ledger_line(row))}</td>"
    )


def _small(text: str) -> str:
    return f'<div class="rl-ledger">{escape(text)}</div>' if text else ""


def _bar(row: ResultRow, scale: float) -> str:
    """The interval of a difference, on the scale that all rows share."""
    one = row.paired
    if one is None or not scale or one.low is None or one.high is None:
        return ""
    left, right = _place(one.low, scale), _place(one.high, scale)
    return (
        f'<span class="rl-ci" title="{escape(difference_line(one, one.p_holm))}">'
        f'<i style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i>'
        f'<b style="left:{_place(one.difference, scale):.1f}%"></b></span> '
    )


def _place(value: float, scale: float) -> float:
    """Per cent from the left of a bar that runs from -scale to +scale, with a small margin."""
    return 50 + 46 * max(-1.0, min(1.0, value / scale))

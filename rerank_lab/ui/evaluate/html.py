"""The HTML of the table of results. Every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.ui.compare.cards import escape
from rerank_lab.views.evaluate import EvaluateView, Row, interval, interval_scale, signed
from rerank_lab.views.evaluate_lines import difference_line, ledger_line, tags
from rerank_lab.views.labels import fraction, seconds


def table(view: EvaluateView, colours: Mapping[str, int]) -> str:
    """Pipelines by measures, the difference to the baseline with its interval, latency."""
    primary = escape(view.primary)
    heads = ['<th scope="col">Pipeline</th>']
    heads += [f'<th class="rl-n" scope="col">{escape(name)}</th>' for name in view.measures]
    if len(view.rows) > 1:
        heads.append(f'<th class="rl-n" scope="col">{primary} against the baseline, 95 %</th>')
    heads += [
        '<th class="rl-n" scope="col">p50 a query</th>',
        '<th class="rl-n" scope="col">p95</th>',
    ]
    scale = interval_scale(view.rows)
    body = "".join(_row(view, row, colours.get(row.spec, 0), scale) for row in view.rows)
    return (
        '<div class="rl-strip"><table class="rl-table rl-results"><thead><tr>'
        f"{''.join(heads)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(view: EvaluateView, row: Row, slot: int, scale: float) -> str:
    marks = "".join(f' <span class="rl-tag">{tag}</span>' for tag in tags(row, view.rows))
    cells = [
        '<td class="rl-pipeline">'
        f'<span class="rl-dot" style="background:var(--rl-p{slot})"></span> '
        f'<span class="rl-name" title="{escape(row.spec)}">{escape(row.label)}</span>{marks}'
        f'<div class="rl-ledger">{escape(ledger_line(row))}</div></td>'
    ]
    for name in view.measures:
        best = " rl-value-best" if row.best and name == view.primary else ""
        cells.append(f'<td class="rl-n{best}">{fraction(row.values.get(name))}</td>')
    if len(view.rows) > 1:
        cells.append(f'<td class="rl-n">{_difference(row, scale)}</td>')
    cells += [f'<td class="rl-n">{_time(value)}</td>' for value in (row.p50, row.p95)]
    return f"<tr>{''.join(cells)}</tr>"


def _difference(row: Row, scale: float) -> str:
    one = row.paired
    if one is None:
        return "–"
    words = difference_line(one, one.p_holm)
    bar = ""
    if scale and one.low is not None and one.high is not None:
        left, right = _place(one.low, scale), _place(one.high, scale)
        bar = (
            f'<span class="rl-ci" title="{escape(words)}">'
            f'<i style="left:{left:.1f}%;width:{max(0.5, right - left):.1f}%"></i>'
            f'<b style="left:{_place(one.difference, scale):.1f}%"></b></span> '
        )
    return f'{bar}{signed(one.difference)}<div class="rl-ledger">{escape(interval(one))}</div>'


def _place(value: float, scale: float) -> float:
    """Per cent from the left of a bar that runs from -scale to +scale, with a small margin."""
    return 50 + 46 * max(-1.0, min(1.0, value / scale))


def _time(value: float | None) -> str:
    return "–" if value is None else seconds(value)

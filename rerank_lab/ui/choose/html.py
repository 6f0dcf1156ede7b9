"""The HTML of the page Choose. Every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.ui.compare.cards import escape
from rerank_lab.views.choose import ChooseView, ContenderLine, FactCell

_TAGS = {
    "recommended": "take this",
    "leading": "best mean",
    "remains": "",
    "dominated": "dominated",
    "fallen": "",
}


def contender(line: ContenderLine, slot: int) -> str:
    """One pipeline with its figures, or with the reasons why it fell."""
    tag = f' <span class="rl-tag">{_TAGS[line.standing]}</span>' if _TAGS[line.standing] else ""
    away = " rl-away" if line.standing in ("fallen", "dominated") else ""
    lines = "".join(f'<div class="rl-note">{escape(text)}</div>' for text in line.lines if text)
    return (
        f'<div class="rl-side{away}"><span class="rl-dot" style="background:var(--rl-p{slot})">'
        f'</span> <span class="rl-title">{escape(line.label)}</span>{tag}{lines}</div>'
    )


def facts_table(view: ChooseView, colours: Mapping[str, int]) -> str:
    """A row a pipeline; each cell says on hover where its fact is from."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("Pipeline", *view.headings))
    body = "".join(
        f'<tr><td class="rl-pipeline"><span class="rl-dot" '
        f'style="background:var(--rl-p{colours.get(spec, 0)})"></span> '
        f'<span class="rl-name" title="{escape(spec)}">{escape(label)}</span></td>'
        f"{''.join(map(_cell, view.headings, cells))}</tr>"
        for spec, label, cells in view.rows
    )
    return (
        '<div class="rl-strip"><table class="rl-table rl-results rl-known"><thead><tr>'
        f"{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(heading: str, cell: FactCell) -> str:
    unknown = "" if cell.known else ' class="rl-ledger"'
    return (
        f'<td{unknown} data-heading="{escape(heading)}" title="{escape(cell.source)}">'
        f"{escape(cell.text)}</td>"
    )

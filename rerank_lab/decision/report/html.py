"""A report as one HTML file: no script, no font, no picture from elsewhere; every text escaped."""

from __future__ import annotations

from rerank_lab.core.html_text import escaped
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Chart,
    CodeBlock,
    Inline,
    Letters,
    Paragraph,
    ReportDocument,
    ReportNumber,
    ReportSection,
    ReportTable,
    Strong,
    Verbatim,
    Words,
)
from rerank_lab.decision.report.style import STYLE

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing may be loaded and no script may run, whatever a document holds."""


def report_html(report: ReportDocument) -> str:
    """The page. Same report, same bytes."""
    contents = "".join(
        f'<li><a href="#{section.name}">{escaped(section.title)}</a></li>'
        for section in report.sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(report.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escaped(report.title)}</h1>\n"
        f'<p class="subtitle">{_words(report.subtitle)}</p>\n'
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n</header>\n<main>\n'
        f"{''.join(map(_section, report.sections))}</main>\n</body>\n</html>\n"
    )


def _section(section: ReportSection) -> str:
    return (
        f'<section id="{section.name}">\n<h2>{escaped(section.title)}</h2>\n'
        f"{''.join(map(_block, section.blocks))}</section>\n"
    )


def _block(block: Block) -> str:
    match block:
        case Paragraph(words, kind):
            return f'<p class="{kind}">{_words(words)}</p>\n'
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_words(item)}</li>' for item in items)}</ul>\n"
        case ReportTable():
            return _table(block)
        case Chart(svg, alternative):
            caption = f"<figcaption>{escaped(alternative)}</figcaption>"
            return f"<figure>{svg}{caption}</figure>\n"
        case CodeBlock(code):
            return f'<pre class="verbatim"><code>{escaped(code)}</code></pre>\n'


_MANY_COLUMNS = 9
"""From so many on, the numbers of a table may break so that it fits on the page."""


def _table(table: ReportTable) -> str:
    heads = "".join(
        f'<th scope="col"{_side(number)}>{_words(heading)}</th>'
        for heading, number in zip(table.headings, table.numbers, strict=True)
    )
    faded = dict.fromkeys(table.faded, ' class="faded"')
    rows = "".join(
        f"<tr{faded.get(place, '')}>{_cells(row, table.numbers)}</tr>\n"
        for place, row in enumerate(table.rows)
    )
    caption = f"<caption>{escaped(table.caption)}</caption>" if table.caption else ""
    wide = ' class="wide"' if len(table.headings) >= _MANY_COLUMNS else ""
    wide = ' class="even"' if table.even else wide
    return (
        f'<div class="strip" tabindex="0"><table{wide}>{caption}<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


def _cells(row: tuple[Words, ...], numbers: tuple[bool, ...]) -> str:
    return "".join(
        f"<td{_side(number)}>{_words(words)}</td>"
        for words, number in zip(row, numbers, strict=True)
    )


def _side(number: bool) -> str:
    return ' class="n"' if number else ""


def _words(words: Words) -> str:
    return "".join(map(_inline, words))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return escaped(part)
        case ReportNumber(text, value, quantity):
            return (
                f'<data class="n" data-of="{escaped(quantity)}" value="{value!r}">'
                f"{escaped(text)}</data>"
            )
        case Verbatim(text, code):
            tag = "code" if code else "span"
            return f'<{tag} class="verbatim">{escaped(text)}</{tag}>'
        case Letters(text, quantity):
            return f'<sup data-of="{escaped(quantity)}">{escaped(text)}</sup>'
        case Strong(inner):
            return f"<strong>{_inline(inner)}</strong>"

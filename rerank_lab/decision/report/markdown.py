"""A report as Markdown: the same words and numbers, charts as what they show in words."""

from __future__ import annotations

import re

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
    ReportTable,
    Strong,
    Verbatim,
    Words,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$!])")


def report_markdown(report: ReportDocument) -> str:
    """The text. Same report, same bytes."""
    parts = [f"# {markdown_text(report.title)}", _words(report.subtitle)]
    for section in report.sections:
        parts.append(f"## {markdown_text(section.title)}")
        parts += map(_block, section.blocks)
    return "\n\n".join(parts) + "\n"


def markdown_text(text: str) -> str:
    """Text that Markdown prints as it stands, on one line, also within a table."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    escaped = _SPECIAL.sub(r"\\\1", plain.encode("utf-8", "replace").decode("utf-8"))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_table(rows: list[list[str]], numbers: tuple[bool, ...]) -> str:
    """Cells that are Markdown already, the first row as headings."""
    marks = ["---:" if number else ":---" for number in numbers]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], marks, *rows[1:]])


def _block(block: Block) -> str:
    match block:
        case Paragraph(words, kind):
            return f"**{_words(words)}**" if kind == "lead" else _words(words)
        case Bullets(items):
            return "\n".join(f"- {_words(item)}" for item in items)
        case ReportTable():
            rows = [block.headings, *block.rows]
            table = markdown_table([[_words(cell) for cell in row] for row in rows], block.numbers)
            return f"{table}\n\n{markdown_text(block.caption)}" if block.caption else table
        case Chart(_, alternative):
            return f"*{markdown_text(alternative)}*"
        case CodeBlock(code):
            fence = "`" * (3 + max((len(run) for run in re.findall("`+", code)), default=0))
            return f"{fence}\n{code.rstrip()}\n{fence}"


def _words(words: Words) -> str:
    return "".join(map(_inline, words))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return markdown_text(part)
        case ReportNumber(text, _, _) | Verbatim(text, _):
            return markdown_text(text)
        case Letters(text, _):
            return f"<sup>{markdown_text(text)}</sup>"
        case Strong(inner):
            return f"**{_inline(inner)}**"

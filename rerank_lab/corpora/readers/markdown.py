"""Markdown pages."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(\S.*)\n=+[ \t]*$", re.MULTILINE)
_HTML_HEADING = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.DOTALL | re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t]*\n.*?\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_MARKS = re.compile(r"`+|\*{1,3}|(?<!\w)_{1,3}|_{1,3}(?!\w)|<[^<>]+>|\{#[^{}]*\}")


class MarkdownReader(PageReader):
    """Markdown as it is written; the title is the front matter's or the first heading."""

    name = "markdown"
    label = "Markdown"
    extensions = (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd")

    def sniff(self, sample: Sample) -> Match | None:
        """The extension."""
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row, without its front matter."""
        check_size(source.name, source.size, options.limits.page_file)
        text = read_text(source, log, options.encoding)
        front = _FRONT_MATTER.match(text)
        body = text[front.end() :] if front else text
        prose = _FENCE.sub("", body)
        title = (_FRONT_TITLE.search(front.group()) if front else None) or min(
            filter(None, (h.search(prose) for h in (_HEADING, _UNDERLINED, _HTML_HEADING))),
            key=lambda match: match.start(),
            default=None,
        )
        yield page_row(source, plain_heading(title.group(1)) if title else "", body)


def plain_heading(heading: str) -> str:
    """A heading as it is shown: links as their words, without emphasis, code marks and anchors."""
    return " ".join(html.unescape(_MARKS.sub("", _LINK.sub(r"\1", heading))).split())

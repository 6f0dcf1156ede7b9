"""Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(\S.*)\n=+[ \t]*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)


class MarkdownReader(PageReader):
    """Markdown as it is written; the title is the front matter's or the first heading."""

    name = "markdown"
    label = "Markdown"
    extensions = (".md", ".markdown")

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
            filter(None, (_HEADING.search(prose), _UNDERLINED.search(prose))),
            key=lambda match: match.start(),
            default=None,
        )
        yield page_row(source, title.group(1).strip() if title else "", body)

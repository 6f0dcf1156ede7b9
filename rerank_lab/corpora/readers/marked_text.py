"""reStructuredText and AsciiDoc pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text


class MarkedTextReader(PageReader):
    """Text as it is written, titled by its first heading; subclasses know what a heading is."""

    heading: ClassVar[re.Pattern[str]]

    def sniff(self, sample: Sample) -> Match | None:
        """The extension."""
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        check_size(source.name, source.size, options.limits.page_file)
        text = read_text(source, log, options.encoding)
        title = self.heading.search(text)
        yield page_row(source, title["title"].strip() if title else "", text)


class RestructuredTextReader(MarkedTextReader):
    """reStructuredText: a heading is a line over a line of one punctuation mark."""

    name = "rst"
    label = "reStructuredText"
    extensions = (".rst",)
    heading = re.compile(
        r"^(?P<title>\S.*)\n(?P<mark>[=\-`:'\"~^_*+#<>])(?P=mark){2,}[ \t]*$", re.MULTILINE
    )


class AsciiDocReader(MarkedTextReader):
    """AsciiDoc: a heading begins with equal signs."""

    name = "asciidoc"
    label = "AsciiDoc"
    extensions = (".adoc", ".asciidoc")
    heading = re.compile(r"^={1,6}[ \t]+(?P<title>\S.*)$", re.MULTILINE)

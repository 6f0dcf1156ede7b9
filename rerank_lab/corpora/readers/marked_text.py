"""reStructuredText and AsciiDoc pages."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text

_UNDERLINED = re.compile(
    r"^(?P<title>\S.*)\n(?P<line>(?P<mark>[=\-`:'\"~^_*+#<>])(?P=mark)+)[ \t]*$", re.MULTILINE
)
_LONG_ENOUGH = 4
"""From so many marks on, a line under a text makes it a heading even if it is shorter."""
_BESIDE = re.compile(
    r"^(////+|----+|\.\.\.\.+)[ \t]*\n.*?^\1[ \t]*$|^//(?!/)[^\n]*$", re.MULTILINE | re.DOTALL
)
_ADOC_HEADING = re.compile(r"^[=#]{1,6}[ \t]+(?P<title>\S.*)$", re.MULTILINE)
_ADOC_UNDERLINED = re.compile(r"\A\s*(?P<title>\S.*)\n(?P<line>=+)[ \t]*$", re.MULTILINE)


class MarkedTextReader(PageReader):
    """Text as it is written, titled by its first heading; subclasses know what a heading is."""

    def sniff(self, sample: Sample) -> Match | None:
        """The extension."""
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        check_size(source.name, source.size, options.limits.page_file)
        text = read_text(source, log, options.encoding)
        yield page_row(source, self.title(text), text)

    @abstractmethod
    def title(self, text: str) -> str:
        """The first heading; empty where there is none."""


class RestructuredTextReader(MarkedTextReader):
    """reStructuredText: a heading is a line over a line of one punctuation mark."""

    name = "rst"
    label = "reStructuredText"
    extensions = (".rst",)

    def title(self, text: str) -> str:
        """The first line that is underlined, as long as it is or with four marks."""
        for match in _UNDERLINED.finditer(text):
            if len(match["line"]) >= min(len(match["title"].strip()), _LONG_ENOUGH):
                return match["title"].strip()
        return ""


class AsciiDocReader(MarkedTextReader):
    """AsciiDoc: a heading begins with equal signs, or is the underlined first line."""

    name = "asciidoc"
    label = "AsciiDoc"
    extensions = (".adoc", ".asciidoc")

    def title(self, text: str) -> str:
        """The first heading outside comments and listings."""
        prose = _BESIDE.sub("", text)
        match = _ADOC_UNDERLINED.match(prose) or _ADOC_HEADING.search(prose)
        return match["title"].strip() if match else ""

"""Plain text: the whole file is one document."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text


class PlainTextReader(PageReader):
    """A text file, titled by its name."""

    name = "text"
    label = "Plain text"
    extensions = (".txt", ".text", ".log")

    def sniff(self, sample: Sample) -> Match | None:
        """The extension; as a last resort every source is text, and decoding it will tell."""
        return self.by_extension(sample) or Match(0.05, "nothing else fits")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        check_size(source.name, source.size, options.limits.page_file)
        yield page_row(source, "", read_text(source, log, options.encoding))

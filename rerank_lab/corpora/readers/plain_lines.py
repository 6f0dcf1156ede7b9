"""One text a line."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.source import Source, detect_decoding, read_lines


class PlainLinesReader(TableReader):
    """Plain lines, each a text of its own: read only when asked for by name."""

    name = "lines"
    label = "One text a line"

    def sniff(self, sample: Sample) -> Match | None:
        """None: nothing tells such a file from a text of several lines."""
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """One record with the column `text` for every line that is not empty."""
        decoding = detect_decoding(source, log, options.encoding)
        for number, line in read_lines(source, decoding, log, options.limits):
            if text := line.strip():
                yield number, {"text": text}
            else:
                log.tally(source.name, "empty lines")

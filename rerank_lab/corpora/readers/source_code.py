"""Source code: a file is one document, titled by its path."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text


class SourceCodeReader(PageReader):
    """Files of programming languages, as they are written; nothing of them is run."""

    name = "code"
    label = "source code"
    extensions = (
        *(".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala", ".go", ".rs"),
        *(".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".swift", ".rb", ".php", ".pl", ".lua", ".r"),
        *(".jl", ".sh", ".ps1", ".sql", ".ex", ".exs", ".hs", ".ml", ".clj", ".dart", ".vue"),
    )

    def sniff(self, sample: Sample) -> Match | None:
        """The extension."""
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        check_size(source.name, source.size, options.limits.page_file)
        yield page_row(source, source.name, read_text(source, log, options.encoding))

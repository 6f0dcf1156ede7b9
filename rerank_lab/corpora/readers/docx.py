"""Word documents (DOCX)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import MB, Limits, check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import (
    Match,
    PageReader,
    ReadOptions,
    Sample,
    broken_file,
    page_row,
)
from rerank_lab.corpora.source import Source


class DocxReader(PageReader):
    """Paragraphs and table rows in their order, one a line."""

    name = "docx"
    label = "Word (DOCX)"
    extensions = (".docx",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension."""
        return self.by_extension(sample, 0.9)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row."""
        import docx
        from docx.table import Table

        check_size(source.name, source.size, options.limits.page_file)
        check_office_volume(source, options.limits, "DOCX")
        try:
            document = docx.Document(io.BytesIO(source.read()))
            lines: list[str] = []
            for block in document.iter_inner_content():
                if isinstance(block, Table):
                    lines += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
                else:
                    lines.append(block.text)
            title = (document.core_properties.title or "").strip()
        except Exception as error:  # a damaged DOCX makes its parsers raise anything
            raise broken_file(source, "DOCX", error) from error
        yield page_row(source, title, "\n".join(line for line in lines if line.strip()))


def check_office_volume(source: Source, limits: Limits, label: str) -> None:
    """Raise InvalidInput for an office file, which is a zip, that unpacks to far too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(source.read())) as archive:
            volume = sum(info.file_size for info in archive.infolist())
    except Exception as error:  # a damaged zip makes the parser raise anything
        raise broken_file(source, label, error) from error
    if volume > max(10 * MB, min(source.size * limits.archive_ratio, limits.page_file)):
        raise InvalidInput(
            f"{source.name} unpacks to far more than its size; it is not read.",
            hint="Open it in the program that wrote it and save it again.",
        )

"""Excel workbooks (.xlsx): the first sheet is a table."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.readers.docx import check_office_volume
from rerank_lab.corpora.source import Source


class SpreadsheetReader(TableReader):
    """The first sheet of a workbook, its first row being the names of the columns."""

    name = "xlsx"
    label = "Excel workbook"
    extensions = (".xlsx",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension of a file that is a zip, as every workbook is."""
        return self.by_extension(sample, 0.6)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """Columns by the names in the first row; values of formulas as they were last computed."""
        check_size(source.name, source.size, options.limits.page_file)
        try:
            check_office_volume(source, options.limits, "Excel workbook")
            rows, others = _first_sheet(source)
        except Exception as error:  # a damaged workbook makes its parsers raise anything
            raise InvalidInput(
                f"{source.name} cannot be read as an Excel workbook: "
                f"{str(error).splitlines()[0] if str(error) else 'it is damaged'}",
                hint="Open it in a spreadsheet program and save it again, or as CSV.",
            ) from error
        if others:
            log.warning(
                f"Only the first sheet is read; {others:,} more were left out.",
                "Save the sheet that holds the documents as a file of its own.",
                file=source.name,
            )
        names = [str(cell) if cell is not None else "" for cell in rows[0][1]] if rows else []
        for number, cells in rows[1:]:
            record = {name: cell for name, cell in zip(names, cells, strict=False) if name}
            yield number, record


def _first_sheet(source: Source) -> tuple[list[tuple[int, tuple[Any, ...]]], int]:
    """(numbered rows that are not empty, number of further sheets)."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(source.read()), read_only=True, data_only=True)
    try:
        sheet = book.worksheets[0]
        numbered = enumerate(sheet.iter_rows(values_only=True), 1)
        rows = [(n, cells) for n, cells in numbered if any(cell is not None for cell in cells)]
        return rows, len(book.worksheets) - 1
    finally:
        book.close()

"""Excel workbooks (.xlsx): one of the sheets is a table."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row, is_known_name
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.readers.docx import check_office_volume
from rerank_lab.corpora.readers.table_head import rows_above
from rerank_lab.corpora.source import Source

_LOOKED_AT = 20


class SpreadsheetReader(TableReader):
    """The sheet of a workbook that is a table; a row of it names the columns."""

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
            sheets = _sheets(source)
        except Exception as error:  # a damaged workbook makes its parsers raise anything
            raise InvalidInput(
                f"{source.name} cannot be read as an Excel workbook: "
                f"{str(error).splitlines()[0] if str(error) else 'it is damaged'}",
                hint="Open it in a spreadsheet program and save it again, or as CSV.",
            ) from error
        if not sheets:
            return
        sheet = next((one for one in sheets if one.is_table), sheets[0])
        if others := [one.title for one in sheets if one is not sheet]:
            log.warning(
                f"Only the sheet {sheet.title!r} is read; {', '.join(map(repr, others))} left out.",
                "Save another sheet as a file of its own, if it holds the documents.",
                file=source.name,
            )
        if sheet.above:
            log.tally(source.name, "lines above the table", sheet.above)
        rows = sheet.rows[sheet.above :]
        names = [_name(cell) for cell in rows[0][1]]
        for number, cells in rows[1:]:
            yield number, {name: cell for name, cell in zip(names, cells, strict=False) if name}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The rows of a sheet that are not empty, each with its number, and where its table begins."""

    title: str
    rows: list[tuple[int, tuple[Any, ...]]]

    @property
    def above(self) -> int:
        """How many rows stand above the table."""
        return rows_above([[_name(cell) for cell in cells] for _, cells in self.rows[:_LOOKED_AT]])

    @property
    def is_table(self) -> bool:
        """Whether its header has a name that is known, and rows below it."""
        rows = self.rows[self.above :]
        return len(rows) > 1 and any(is_known_name(_name(cell)) for cell in rows[0][1])


def _name(cell: Any) -> str:
    return str(cell).strip() if cell is not None else ""


def _sheets(source: Source) -> list[_Sheet]:
    """The sheets that are not empty."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(source.read()), read_only=True, data_only=True)
    try:
        sheets: list[_Sheet] = []
        for sheet in book.worksheets:
            numbered = enumerate(sheet.iter_rows(values_only=True), 1)
            rows = [(n, cells) for n, cells in numbered if any(cell is not None for cell in cells)]
            if rows:
                sheets.append(_Sheet(sheet.title, rows))
        return sheets
    finally:
        book.close()

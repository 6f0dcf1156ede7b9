"""Tables of cells between separators: CSV, TSV, and their relatives with semicolons or pipes."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row, is_known_name
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.readers.table_head import rows_above
from rerank_lab.corpora.source import Source, detect_decoding, read_lines, uncompressed_name

_HEAD_LINES, _HEAD_ROWS = 50, 20
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)
_QUOTED_CELL = re.compile(r'"(?:[^"]|"")*"')


class DelimitedReader(TableReader):
    """CSV and TSV: comma, tab, semicolon or pipe separated.

    A tab separated file follows no rule of quoting (MS MARCO has none, spreadsheets quote as in
    RFC 4180), so quotes are markup there only when the file shows it; see `_quoting_of_tabs`.
    """

    name = "csv"
    label = "CSV or TSV"
    extensions = (".csv", ".tsv", ".tab")

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, or the same number of tabs in every line."""
        if match := self.by_extension(sample):
            return match
        if sample.suffix not in ("", ".txt"):
            return None
        lines = [line for line in sample.text.split("\n")[:-1][:20] if line.strip()]
        tabs = {line.count("\t") for line in lines}
        if len(lines) > 1 and len(tabs) == 1 and tabs != {0}:
            return Match(0.55, "every line has the same number of tabs")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """Columns named by the header, else `column 1`, `column 2`, ..."""
        rows = _cells(source, options, log)
        head = list(itertools.islice(rows, _HEAD_ROWS))
        if not head:
            return
        if above := rows_above([cells for _, cells in head]):
            log.tally(source.name, "lines above the table", above)
            head = head[above:]
        first = [cell.strip() for cell in head[0][1]]
        named = not set(first).isdisjoint(options.columns.values())
        header = named or _is_header(first, [cells for _, cells in head[1:]])
        if options.header is not None:
            header = options.header
        elif not header and _could_name(first) and len(head) > 1:
            log.note(
                "The first row was taken as data, because it does not look like a header.",
                "If it names the columns, call one of them text, title or id.",
                file=source.name,
                line=head[0][0],
            )
        if header:
            log.tally(source.name, "header lines")
        names = _column_names(first) if header else [f"column {n + 1}" for n in range(len(first))]
        for number, cells in itertools.chain(head[1:] if header else head, rows):
            if len(cells) > len(names) and any(cells[len(names) :]):
                log.error(
                    f"The row has {len(cells)} cells, the table {len(names)} columns; it was left "
                    "out.",
                    "Put cells that contain the separator in double quotes.",
                    file=source.name,
                    line=number,
                )
                continue
            yield number, dict(zip(names, cells, strict=False))


@dataclass(slots=True)
class _TabSurvey:
    """What the lines of a tab separated file look like when quotes mean nothing."""

    widths: Counter[int] = field(default_factory=Counter)
    opening: int = 0
    """Cells that begin with a quote."""
    closed: int = 0
    """Those of them that are quoted by the rule: closed at their end, quotes inside doubled."""
    doubled: int = 0
    """Those of the closed ones that have a doubled quote inside."""
    quoted_in_column: Counter[int] = field(default_factory=Counter)

    def add(self, cells: Sequence[str]) -> None:
        """Take one line into account."""
        self.widths[len(cells)] += 1
        for position, cell in enumerate(cells):
            if cell.startswith('"'):
                self.opening += 1
                if _QUOTED_CELL.fullmatch(cell):
                    self.closed += 1
                    self.doubled += '""' in cell[1:-1]
                    self.quoted_in_column[position] += 1

    @property
    def regular(self) -> bool:
        """Whether every line has the same number of cells, so that every line is a row."""
        return len(self.widths) == 1

    @property
    def quotes(self) -> bool:
        """Whether a regular file writes cells in quotes.

        All that begin with one are closed, and some prove it: by a doubled quote inside, or by a
        column that is quoted throughout.
        """
        rows = self.widths.total()
        throughout = any(count >= rows - 1 > 0 for count in self.quoted_in_column.values())
        return self.opening == self.closed > 0 and (self.doubled > 0 or throughout)


def _cells(
    source: Source, options: ReadOptions, log: ProblemLog
) -> Iterator[tuple[int, list[str]]]:
    """(line where the row starts, cells) of every row that is not empty."""
    decoding = detect_decoding(source, log, options.encoding)

    def lines(log: ProblemLog) -> Iterator[tuple[int, str]]:
        return read_lines(source, decoding, log, options.limits)

    head = [line for _, line in itertools.islice(lines(ProblemLog()), _HEAD_LINES)]
    declared = _SEPARATOR_LINE.fullmatch(head[0]) if head else None
    skipped = 1 if declared else 0
    if declared:
        log.tally(source.name, "separator lines")
    delimiter = options.delimiter or (declared and declared[1]) or _delimiter(source.name, head)
    numbered = itertools.islice(lines(log), skipped, None)
    if delimiter != "\t":
        return _quoted_rows(numbered, delimiter, source.name, log, skipped)
    silent = itertools.islice(lines(ProblemLog()), skipped, None)
    survey = _surveyed(line for _, line in silent)
    if survey.opening and not survey.regular:
        again = itertools.islice(lines(ProblemLog()), skipped, None)
        if _is_clean(again, delimiter):
            return _quoted_rows(numbered, delimiter, source.name, log, skipped)
    return _line_rows(numbered, survey.regular and survey.quotes, source.name, log)


def _surveyed(lines: Iterable[str]) -> _TabSurvey:
    survey = _TabSurvey()
    for line in lines:
        if line.strip():
            survey.add(line.rstrip("\r\n").split("\t"))
    return survey


def _is_clean(numbered: Iterable[tuple[int, str]], delimiter: str) -> bool:
    """Whether a file read with quoting has no fault and rows of one width only."""
    try:
        reader = csv.reader((line for _, line in numbered), delimiter=delimiter, strict=True)
        return len({len(cells) for cells in reader if cells}) == 1
    except csv.Error:
        return False


def _line_rows(
    numbered: Iterable[tuple[int, str]], quotes: bool, name: str, log: ProblemLog
) -> Iterator[tuple[int, list[str]]]:
    """Every line is a row; quotes around a cell are taken off where the file `quotes`."""
    for number, line in numbered:
        if not line.strip():
            log.tally(name, "empty lines")
            continue
        cells = line.rstrip("\r\n").split("\t")
        if quotes:
            cells = [_unquoted(cell) for cell in cells]
        yield number, cells


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if _QUOTED_CELL.fullmatch(cell) else cell


def _quoted_rows(
    numbered: Iterable[tuple[int, str]], delimiter: str, name: str, log: ProblemLog, at: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Rows by the rule of RFC 4180, where a quoted cell may hold line ends.

    `at` is the line before the first one.
    """
    csv.field_size_limit(1 << 30)  # the lines are limited already

    def lines() -> Iterator[str]:
        nonlocal at
        for number, line in numbered:
            at = number
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        before = at
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                log.error(
                    f"A quote opened here is never closed; {at - before:,} lines "
                    "from here on were left out.",
                    'Close the quote, or write a quote inside a cell twice ("").',
                    file=name,
                    line=before + 1,
                )
                return
            log.error(
                f"The row is not valid CSV: {error}.",
                'Write a quote inside a quoted cell twice ("").',
                file=name,
                line=before + 1,
            )
            continue
        if at - before > 1:
            log.tally(name, "lines inside quoted cells", at - before - 1)
        if any(cell.strip() for cell in cells):
            yield before + 1, cells
        else:
            log.tally(name, "empty lines")


def _delimiter(name: str, head: list[str]) -> str:
    """The separator that splits the first lines most evenly; commas when none does."""
    if uncompressed_name(name).lower().endswith(".tsv"):
        return "\t"
    best, best_key = ",", (0.0, 0)
    for delimiter in (",", "\t", ";", "|"):
        try:
            rows = [row for row in csv.reader(head, delimiter=delimiter) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows]
        first = next((width for width in widths if width > 1), 0)
        if not first:
            continue
        key = (sum(width == first for width in widths) / len(widths), first)
        if key > best_key:
            best, best_key = delimiter, key
    return best


def _is_header(first: list[str], others: list[list[str]]) -> bool:
    """A header has short, distinct, non-numeric names, over numbers or far longer texts.

    One word known to us settles it.
    """
    if _numeric(first[0]):
        return False  # the id of a first row, whatever its text says
    if any(is_known_name(cell) for cell in first) and all(len(cell) < 64 for cell in first):
        return True
    if len(first) < 2 or not _could_name(first) or not others:
        return False
    if any(all(map(_numeric, column)) for column in zip(*others, strict=False)):
        return True
    longest = max(len(cell) for row in others for cell in row)
    return longest > 3 * max(len(cell) for cell in first)


def _could_name(cells: list[str]) -> bool:
    distinct = len(set(cells)) == len(cells)
    return distinct and all(cell and len(cell) < 40 and not _numeric(cell) for cell in cells)


def _numeric(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _column_names(cells: list[str]) -> list[str]:
    """The header's names, with empty and repeated ones made usable."""
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = cell or f"column {position}"
        names.append(f"{name} ({position})" if name in names else name)
    return names

"""Readers of files that hold one record a row: JSONL, a JSON array, CSV and TSV, Parquet, lines.

A reader gives `(line, record)` pairs and reports what it cannot use in the log, row by row, so
that the good rows survive. Only a file that is unusable as a whole raises InvalidInput.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import DEFAULT_LIMITS, Limits, check_size
from rerank_lab.corpora.source import Source, detect_decoding, read_lines, read_text

Record = dict[str, Any]
Row = tuple[int, Record]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user overrides; empty or None means: find out."""

    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None
    limits: Limits = field(default=DEFAULT_LIMITS)


def read_jsonl(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """One JSON object a line; empty lines are skipped."""
    decoding = detect_decoding(source, log, options.encoding)
    for number, line in read_lines(source, decoding, log, options.limits):
        if not line.strip():
            continue
        try:
            record = json.loads(line.rstrip("\r\n"))
        except (ValueError, RecursionError) as error:
            message, column = _json_fault(error)
            where = f" (column {column})" if column else ""
            log.error(
                f"The line is not valid JSON: {message}{where}.",
                "Write one complete JSON object a line, quotes and line breaks inside it escaped.",
                file=source.name,
                line=number,
            )
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            _not_an_object(record, source.name, number, log)


def read_json(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """A JSON array of objects (or one object that holds such an array). Lines count the items."""
    hint = "Write one object a line in a .jsonl file: those are read piece by piece."
    check_size(source.name, source.size, options.limits.page_file, hint)
    try:
        value = json.loads(read_text(source, log, options.encoding))
    except (ValueError, RecursionError) as error:
        message, _ = _json_fault(error)
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise InvalidInput(
            f"{source.name}{f', line {line}' if line else ''}: not valid JSON: {message}.",
            hint="Give a JSON array of objects, or one object a line in a .jsonl file.",
        ) from None
    for number, record in enumerate(_json_items(value, source.name), 1):
        if isinstance(record, dict):
            yield number, record
        elif isinstance(record, str):
            yield number, {"text": record}
        else:
            _not_an_object(record, source.name, number, log)


def read_csv(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """Comma, semicolon, tab or pipe separated; columns named by the header, else `column 1`, ..."""
    decoding = detect_decoding(source, log, options.encoding)
    head = [line for _, line in _first(read_lines(source, decoding, ProblemLog()), 50)]
    delimiter = options.delimiter or _delimiter(source.name, head)
    csv.field_size_limit(options.limits.line)
    lines = (line for _, line in read_lines(source, decoding, log, options.limits))
    rows = _csv_rows(csv.reader(lines, delimiter=delimiter, strict=True), source.name, log)
    ahead = list(_first(rows, 20))
    if not ahead:
        return
    first = [cell.strip() for cell in ahead[0][1]]
    header = _is_header(first, [cells for _, cells in ahead[1:]])
    if options.header is not None:
        header = options.header
    elif not header and _could_name(first) and len(ahead) > 1:
        log.note(
            "The first row was taken as data, because it does not look like a header.",
            "If it names the columns, call one of them text, title or id.",
            file=source.name,
            line=ahead[0][0],
        )
    names = _column_names(first) if header else [f"column {n}" for n in range(1, len(first) + 1)]
    for number, cells in _chain(ahead[1:] if header else ahead, rows):
        if len(cells) > len(names):
            log.error(
                f"The row has {len(cells)} cells, the table {len(names)} columns; it was left out.",
                "Put cells that contain the separator in double quotes.",
                file=source.name,
                line=number,
            )
            continue
        yield number, dict(zip(names, cells, strict=False))


def read_parquet(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """Columns by name; lines count the rows. Nested values are kept as lists and dictionaries."""
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(source.path or io.BytesIO(source.data)) as table:
            for batch in table.iter_batches(batch_size=2048):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record
    except Exception as error:  # a damaged file makes the parser raise anything
        raise InvalidInput(
            f"{source.name} cannot be read as Parquet after row {number:,}: "
            f"{(str(error).splitlines() or ['it is damaged'])[0]}",
            hint="Write it again, with pandas.DataFrame.to_parquet for example.",
        ) from error


def read_plain_lines(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """One text a line, in the column `text`; empty lines are skipped."""
    decoding = detect_decoding(source, log, options.encoding)
    for number, line in read_lines(source, decoding, log, options.limits):
        if text := line.strip():
            yield number, {"text": text}


def _json_fault(error: Exception) -> tuple[str, int]:
    if isinstance(error, json.JSONDecodeError):
        return (error.msg[:1].lower() + error.msg[1:]).removesuffix(" at"), error.colno
    if isinstance(error, RecursionError):
        return "it is nested too deeply", 0
    return str(error).split(";")[0], 0


def _not_an_object(record: Any, file: str, line: int, log: ProblemLog) -> None:
    kinds = {list: "an array", str: "a string", int: "a number", float: "a number"}
    log.error(
        f"The line holds {kinds.get(type(record), 'true, false or null')}, not an object.",
        'Write objects such as {"id": "1", "text": "..."}.',
        file=file,
        line=line,
    )


def _json_items(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        lists = [items for items in value.values() if isinstance(items, list) and items]
        if len(lists) == 1:
            return lists[0]
        if not lists:
            return [value]
    raise InvalidInput(
        f"{name} holds no single array of objects.",
        hint='Give a JSON array: [{"id": "1", "text": "..."}, ...].',
    )


def _first(rows: Iterator[Any], count: int) -> Iterator[Any]:
    """At most `count` items, leaving the iterator where they end."""
    for _ in range(count):
        try:
            yield next(rows)
        except StopIteration:
            return


def _chain(ahead: list[Any], rows: Iterator[Any]) -> Iterator[Any]:
    yield from ahead
    yield from rows


def _csv_rows(reader: Any, name: str, log: ProblemLog) -> Iterator[tuple[int, list[str]]]:
    """(line where the row starts, cells), without empty rows."""
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            unclosed = "unexpected end" in str(error) or "field limit" in str(error)
            if unclosed:
                log.error(
                    f"A quote opened here is never closed; {reader.line_num - start + 1:,} lines "
                    "from here on were left out.",
                    'Close the quote, or write a quote inside a cell twice ("").',
                    file=name,
                    line=start,
                )
                return
            log.error(
                f"The row is not valid CSV: {error}.",
                'Write a quote inside a quoted cell twice ("").',
                file=name,
                line=start,
            )
            continue
        if any(cell.strip() for cell in cells):
            yield start, cells


def _delimiter(name: str, head: list[str]) -> str:
    """The separator that splits the first lines most evenly; commas when none does."""
    if name.lower().endswith(".tsv"):
        return "\t"
    best, best_key = ",", (0.0, 0)
    for delimiter in (",", "\t", ";", "|"):
        try:
            rows = [row for row in csv.reader(head, delimiter=delimiter) if row]
        except csv.Error:
            continue
        widths = [len(row) for row in rows]
        if not widths or widths[0] < 2:
            continue
        key = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
        if key > best_key:
            best, best_key = delimiter, key
    return best


def _is_header(first: list[str], others: list[list[str]]) -> bool:
    """A header has short, distinct, non-numeric names, over numbers or far longer texts.

    One word known to us settles it.
    """
    from rerank_lab.corpora.roles import is_known_name

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

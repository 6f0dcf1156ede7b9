"""A JSON array of objects, or one object that holds such an array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import TEXT, Row, find_column, is_known_name, plain_name
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.readers.json_lines import json_fault, report_not_an_object
from rerank_lab.corpora.source import Source, read_text

_QUERIES = ("query", "question", "user_input", "anchor")
_LINE_SUFFIXES = (".jsonl", ".ndjson", "")
_LOOKED_AT = 20
_MOST_LEVELS = 4
_LEAST_LETTERS = 40
"""A single object with a text of this length is a document, whatever the text is called."""
_GAP = re.compile(r"[\s,]*")
_SINGULAR = {
    "ids": "id", "documents": "text", "texts": "text", "docs": "text", "passages": "text",
    "contents": "text", "chunks": "text", "titles": "title", "metadatas": "metadata",
}  # fmt: skip
"""What the lists of a table by column mean."""
_TEXTS = ("documents", "texts", "docs", "passages", "corpus", "contents", "data", "chunks")


class JSONArrayReader(TableReader):
    """A JSON array; the lines that problems name count its items."""

    name = "json"
    label = "JSON array"
    extensions = (".json",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, an opening bracket, or values that go over several lines."""
        if sample.suffix in _LINE_SUFFIXES and _over_lines(sample.head):
            return Match(0.55, "its JSON goes over several lines")
        return self.by_extension(sample) or (
            Match(0.3, "it begins with [") if sample.start.startswith(b"[") else None
        )

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """One record an item; a string is taken as the text of its record."""
        items = _items(read_json(source, options, log, several=True), source.name)
        for number, record in enumerate(items, 1):
            if isinstance(record, dict):
                yield number, record
            elif isinstance(record, str):
                yield number, {"text": record}
            else:
                report_not_an_object(record, source.name, number, log)


def read_json(
    source: Source, options: ReadOptions, log: ProblemLog, *, several: bool = False
) -> Any:
    """The one JSON value that a file is; with `several`, also the list of values in a row.

    Raises InvalidInput when it is too large or not JSON.
    """
    hint = "Write one object a line in a .jsonl file: those are read piece by piece."
    check_size(source.name, source.size, options.limits.page_file, hint)
    text = read_text(source, log, options.encoding).lstrip("\ufeff")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if several and (values := _values_in_a_row(text)):
            return values
        message, _ = json_fault(error)
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise InvalidInput(
            f"{source.name}{f', line {line}' if line else ''}: not valid JSON: {message}.",
            hint="Give a JSON array of objects, or one object a line in a .jsonl file.",
        ) from None


def _values_in_a_row(text: str) -> list[Any]:
    """The objects of a text that holds nothing else, with or without commas between them."""
    decoder, values, at = json.JSONDecoder(), list[Any](), 0
    while (at := _GAP.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        values.append(value)
    return values


def _over_lines(head: bytes) -> bool:
    """Whether JSON begins that is no object a line: an array, or an object over several lines."""
    lines = [line.strip().rstrip(b",") for line in head.split(b"\n")[:_LOOKED_AT] if line.strip()]
    if not lines or lines[0][:1] not in (b"{", b"["):
        return False
    if lines[0].startswith(b"["):
        return lines[0][1:].strip()[:1] in (b"", b"{")
    return not any(map(_is_object, lines))


def _is_object(line: bytes) -> bool:
    """Whether a line looks like a whole object; a damaged one counts as well."""
    return line.startswith(b"{") and len(line) > 1


def _as_columns(value: dict[str, Any]) -> list[Any] | None:
    """The rows of a table that is written by column, or as pandas splits it; None for no table."""
    rows, names = value.get("data"), value.get("columns")
    if isinstance(names, list) and isinstance(rows, list) and all(map(_is_list, rows)):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    lists = {key: cells for key, cells in value.items() if isinstance(cells, list)}
    columns = {_SINGULAR.get(plain_name(key), key): cells for key, cells in lists.items()}
    if len(columns) < 2 or find_column(columns, TEXT) is None:
        return None
    lengths = {len(cells) for cells in columns.values()}
    simple = all(isinstance(cell, str | None) for cell in columns[find_column(columns, TEXT) or ""])
    if len(lengths) != 1 or lengths == {0} or not simple:
        return None
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def lists_of_objects(value: Any, levels: int = 0) -> Iterator[list[Any]]:
    """The lists of objects in an object, however deep, but not those that belong to a document."""
    if not isinstance(value, dict) or levels > _MOST_LEVELS:
        return
    text = find_column(value, TEXT)
    if levels and text is not None and isinstance(value[text], str):
        return
    for inner in value.values():
        if isinstance(inner, list) and inner and all(isinstance(one, dict) for one in inner):
            yield inner
        else:
            yield from lists_of_objects(inner, levels + 1)


def _records_of(value: dict[str, Any], name: str) -> list[Any]:
    """The records of an object without arrays: a table by columns, documents by id, or itself."""
    inner = list(value.values())
    named = any(is_known_name(key) for key in value)
    if value and all(isinstance(one, dict) for one in inner):
        if named and all(one.keys() == inner[0].keys() for one in inner):
            return [{name: cells[row] for name, cells in value.items()} for row in inner[0]]
        return [{"id": key} | one for key, one in value.items()]
    if not named and len(value) > 1 and all(isinstance(one, str) for one in inner):
        return [{"id": key, "text": text} for key, text in value.items()]
    long = any(isinstance(one, str) and len(one) >= _LEAST_LETTERS for one in inner)
    if long or find_column(value, TEXT) is not None:
        return [value]
    raise _no_array(name)


def _items(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if any(plain_name(key) in _QUERIES for key in value) and "hits" not in value:
            return [value]  # a query with its candidates
        lists = {key: items for key, items in value.items() if isinstance(items, list) and items}
        if len(lists) == 1:
            key, items = next(iter(lists.items()))
            if len(value) == 1 or plain_name(key) in _TEXTS or isinstance(items[0], dict):
                return items
        if "kwargs" in value:  # an object as LangChain serialises it
            return [value]
        if (rows := _as_columns(value)) is not None:
            return rows
        inner = list(lists_of_objects(value))
        if len(inner) == 1:
            return inner[0]
        if not lists:
            return _records_of(value, name)
    raise _no_array(name)


def _no_array(name: str) -> InvalidInput:
    return InvalidInput(
        f"{name} holds no single array of objects.",
        hint='Give a JSON array: [{"id": "1", "text": "..."}, ...].',
    )

"""A JSON array of objects, or one object that holds such an array."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row, is_known_name, plain_name
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.readers.json_lines import json_fault, report_not_an_object
from rerank_lab.corpora.source import Source, read_text

_QUERIES = ("query", "question", "user_input", "anchor")
_TEXTS = ("documents", "texts", "docs", "passages", "corpus", "contents", "data", "chunks")


class JSONArrayReader(TableReader):
    """A JSON array; the lines that problems name count its items."""

    name = "json"
    label = "JSON array"
    extensions = (".json",)

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, or an opening bracket."""
        return self.by_extension(sample) or (
            Match(0.3, "it begins with [") if sample.start.startswith(b"[") else None
        )

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """One record an item; a string is taken as the text of its record."""
        items = _items(read_json(source, options, log), source.name)
        for number, record in enumerate(items, 1):
            if isinstance(record, dict):
                yield number, record
            elif isinstance(record, str):
                yield number, {"text": record}
            else:
                report_not_an_object(record, source.name, number, log)


def read_json(source: Source, options: ReadOptions, log: ProblemLog) -> Any:
    """The one JSON value that a file is. Raises InvalidInput when it is too large or not JSON."""
    hint = "Write one object a line in a .jsonl file: those are read piece by piece."
    check_size(source.name, source.size, options.limits.page_file, hint)
    try:
        return json.loads(read_text(source, log, options.encoding))
    except (ValueError, RecursionError) as error:
        message, _ = json_fault(error)
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise InvalidInput(
            f"{source.name}{f', line {line}' if line else ''}: not valid JSON: {message}.",
            hint="Give a JSON array of objects, or one object a line in a .jsonl file.",
        ) from None


def _records_of(value: dict[str, Any]) -> list[Any]:
    """The records of an object without arrays: a table by columns, documents by id, or itself."""
    inner = list(value.values())
    named = any(is_known_name(key) for key in value)
    if value and all(isinstance(one, dict) for one in inner):
        if named and all(one.keys() == inner[0].keys() for one in inner):
            return [{name: cells[row] for name, cells in value.items()} for row in inner[0]]
        return [{"id": key} | one for key, one in value.items()]
    if not named and len(value) > 1 and all(isinstance(one, str) for one in inner):
        return [{"id": key, "text": text} for key, text in value.items()]
    return [value]


def _items(value: Any, name: str) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if any(plain_name(key) in _QUERIES for key in value):
            return [value]  # a query with its candidates
        lists = {key: items for key, items in value.items() if isinstance(items, list) and items}
        if len(lists) == 1:
            key, items = next(iter(lists.items()))
            if len(value) == 1 or plain_name(key) in _TEXTS or isinstance(items[0], dict):
                return items
        if not lists:
            return _records_of(value)
        if "kwargs" in value:  # an object as LangChain serialises it
            return [value]
    raise InvalidInput(
        f"{name} holds no single array of objects.",
        hint='Give a JSON array: [{"id": "1", "text": "..."}, ...].',
    )

"""One JSON object a line, or one text or one list of texts, as a table without a header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, ReadOptions, Sample, TableReader
from rerank_lab.corpora.source import Source, detect_decoding, read_lines


class JSONLinesReader(TableReader):
    """JSON lines (also called NDJSON); empty lines are skipped."""

    name = "jsonl"
    label = "JSON lines"
    extensions = (".jsonl", ".ndjson")

    def sniff(self, sample: Sample) -> Match | None:
        """Objects that follow each other line by line, or the extension."""
        if sample.suffix == ".json" and _objects_by_line(sample.head):
            return Match(0.6, "it holds one JSON object a line")
        return self.by_extension(sample) or (
            Match(0.3, "it begins with {") if sample.start.startswith(b"{") else None
        )

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """One record a line; lines that hold no JSON object are reported."""
        decoding = detect_decoding(source, log, options.encoding)
        for number, line in read_lines(source, decoding, log, options.limits):
            if not line.strip():
                log.tally(source.name, "empty lines")
                continue
            try:
                record = _value(line.rstrip("\r\n"), source.name, log)
            except (ValueError, RecursionError) as error:
                message, column = json_fault(error)
                where = f" (column {column})" if column else ""
                log.error(
                    f"The line is not valid JSON: {message}{where}.",
                    "Write one complete JSON object a line, quotes and line breaks in it escaped.",
                    file=source.name,
                    line=number,
                )
                continue
            if isinstance(record, dict):
                yield number, record
            elif isinstance(record, str):
                yield number, {"text": record}
            elif _are_texts(record):
                yield number, {f"column {place}": text for place, text in enumerate(record, 1)}
            else:
                report_not_an_object(record, source.name, number, log)


def _value(line: str, file: str, log: ProblemLog) -> Any:
    """The JSON value of a line; a comma after it is counted, as an array has one."""
    try:
        return json.loads(line)
    except ValueError:
        bare = line.rstrip(" \t,")
        if bare == line.rstrip() or not bare.endswith("}"):
            raise
        value = json.loads(bare)
        log.tally(file, "commas at the ends of lines")
        return value


def _are_texts(value: Any) -> bool:
    """Whether a line is a row of texts without names, as sets of pairs and triplets write it."""
    return isinstance(value, list) and len(value) > 1 and all(isinstance(v, str) for v in value)


def json_fault(error: Exception) -> tuple[str, int]:
    """What is wrong with a JSON text, and in which column (0 when unknown)."""
    if isinstance(error, json.JSONDecodeError):
        return (error.msg[:1].lower() + error.msg[1:]).removesuffix(" at"), error.colno
    if isinstance(error, RecursionError):
        return "it is nested too deeply", 0
    return str(error).split(";")[0], 0


def report_not_an_object(record: Any, file: str, line: int, log: ProblemLog) -> None:
    """Report a JSON value that cannot be a row."""
    kinds = {list: "an array", str: "a string", int: "a number", float: "a number"}
    log.error(
        f"The line holds {kinds.get(type(record), 'true, false or null')}, not an object.",
        'Write objects such as {"id": "1", "text": "..."}.',
        file=file,
        line=line,
    )


def _objects_by_line(head: bytes) -> bool:
    lines = [line.strip() for line in head.split(b"\n") if line.strip()]
    return (
        len(lines) > 1
        and all(line.startswith(b"{") for line in lines[:2])
        and lines[0].endswith(b"}")
    )

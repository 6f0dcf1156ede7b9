"""Saved comparisons read from bytes that anybody may have written: every field is checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from rerank_lab.core import errors
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import Node, parse
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Hit, Query, Ranking, Status, Trace
from rerank_lab.pipeline.results import Result, StageResult
from rerank_lab.remote.recordings import Recording
from rerank_lab.services.comparisons.value import (
    FORMAT,
    MAX_BYTES,
    MAX_TITLE,
    Comparison,
    Header,
    SavedColumn,
)

T = TypeVar("T")
_TEXT = 200_000
_HITS = 100_000
_STAGES = 64
_COLUMNS = 24
_DEEPEST = 8
_LARGEST = 1e15
_HASH = re.compile(r"[0-9a-f]{64}")
_KINDS: Mapping[str, Callable[..., LabError]] = {
    kind.kind: kind
    for kind in (
        errors.InvalidInput, errors.MissingExtra, errors.MissingKey, errors.ModelUnavailable,
        errors.BackendError, errors.DeadlineExceeded, errors.SpendLimit, errors.ContractViolation,
    )
}  # fmt: skip


class _Wrong(Exception):
    """What is wrong, and where in the file."""


def comparison_of(data: bytes) -> Comparison:
    """The comparison in a file. Raises InvalidInput that says what is wrong with it, and where."""
    if len(data) > MAX_BYTES:
        raise refused(f"it is larger than {MAX_BYTES // 2**20} MB")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise refused("it is not UTF-8") from None
    while lines and not lines[-1].strip():
        lines.pop()
    try:
        header = header_of(lines[0] if lines else "")
        size = 1 + len(header.pipelines)
        columns = tuple(
            _column(_object(line, f"line {number}"), header.query, f"line {number}")
            for number, line in enumerate(lines[1:size], 2)
        )
        if tuple(column.pipeline for column in columns) != header.pipelines:
            raise _Wrong("the columns are not those that the first line names")
        recording = _recording(lines[size:])
    except _Wrong as wrong:
        raise refused(str(wrong)) from None
    if header.answers != max(0, len(recording) - 1):
        raise refused("it is cut short: answers are missing at its end")
    return Comparison(header, columns, recording)


def refused(what: str) -> InvalidInput:
    """The error for a file that is no saved comparison."""
    return InvalidInput(
        f"This is not a saved comparison that can be opened: {what}.",
        hint="Choose a file that was downloaded from Saved comparisons, unchanged.",
    )


def header_of(line: str) -> Header:
    """The first line. Raises InvalidInput."""
    try:
        return _header(_object(line, "line 1"))
    except _Wrong as wrong:
        raise refused(str(wrong)) from None


def _header(shown: Mapping[str, Any]) -> Header:
    if shown.get("format") != FORMAT:
        raise _Wrong(f"line 1 does not begin with the format {FORMAT}")
    corpus, query = _get(shown, "corpus", dict, "line 1"), _get(shown, "query", dict, "line 1")
    content_hash = _text(corpus, "content_hash", "line 1", 64)
    if not _HASH.fullmatch(content_hash):
        raise _Wrong("line 1: content_hash is no SHA-256")
    created = _text(shown, "created_at", "line 1", 64)
    try:
        datetime.fromisoformat(created)
    except ValueError:
        raise _Wrong("line 1: created_at is no date") from None
    pipelines = _get(shown, "pipelines", list, "line 1")
    if not 0 < len(pipelines) <= _COLUMNS or len(set(map(str, pipelines))) < len(pipelines):
        raise _Wrong(f"line 1: there must be 1 to {_COLUMNS} different pipelines")
    versions = _get(shown, "versions", dict, "line 1")
    return Header(
        _text(shown, "title", "line 1", MAX_TITLE),
        created,
        _text(corpus, "name", "line 1", 500),
        content_hash,
        _whole(corpus, "documents", "line 1"),
        Query(_text(query, "id", "line 1", 500), _text(query, "text", "line 1", _TEXT)),
        _whole(shown, "depth", "line 1"),
        _whole(shown, "show", "line 1"),
        tuple(_is_text(spec, "line 1: a pipeline", 10_000) for spec in pipelines),
        _whole(shown, "answers", "line 1"),
        {k: _is_text(v, "line 1: a version", 100) for k, v in list(versions.items())[:20]},
    )


def _column(shown: Mapping[str, Any], query: Query, at: str) -> SavedColumn:
    spec = _text(shown, "pipeline", at, 10_000)
    error = _error(shown["error"], at) if shown.get("error") is not None else None
    if shown.get("result") is None:
        if error is None:
            raise _Wrong(f"{at}: there is neither a result nor an error")
        return SavedColumn(spec, None, error)
    found = _get(shown, "result", dict, at)
    stages = _get(found, "stages", list, at)
    if not 0 < len(stages) <= _STAGES:
        raise _Wrong(f"{at}: there must be 1 to {_STAGES} stages")
    passages = _get(found, "passages", dict, at)
    result = Result(
        _text(found, "spec", at, 10_000),
        query,
        tuple(_stage(stage, query, at, 0) for stage in stages),
        _ranking(found.get("ranking"), query, at),
        {k: _is_text(v, f"{at}: a passage", 2000) for k, v in passages.items()},
    )
    return SavedColumn(spec, result, error)


def _stage(shown: Any, query: Query, at: str, depth: int) -> StageResult:
    if not isinstance(shown, dict) or depth > _DEEPEST:
        raise _Wrong(f"{at}: a stage is not of the right form")
    parts = _get(shown, "parts", list, at)
    if len(parts) > _STAGES:
        raise _Wrong(f"{at}: a fusion has too many sources")
    status = _text(shown, "status", at, 20)
    if status not in set(Status):
        raise _Wrong(f"{at}: there is no status {status!r}")
    ranking = _ranking(shown.get("ranking"), query, at)
    return StageResult(
        _node(_text(shown, "node", at, 10_000), at),
        Status(status),
        _trace(_get(shown, "trace", dict, at), at),
        ranking,
        _error(shown["error"], at) if shown.get("error") is not None else None,
        _get(shown, "reused", bool, at),
        tuple(_stage(part, query, at, depth + 1) for part in parts),
    )


def _node(text: str, at: str) -> Node:
    try:
        nodes = parse(text).nodes
    except LabError:
        nodes = ()
    if len(nodes) != 1:
        raise _Wrong(f"{at}: {text[:60]!r} is no stage")
    return nodes[0]


def _ranking(shown: Any, query: Query, at: str) -> Ranking | None:
    if shown is None:
        return None
    if not isinstance(shown, dict):
        raise _Wrong(f"{at}: a ranking is not an object")
    rows = _get(shown, "hits", list, at)
    if len(rows) > _HITS:
        raise _Wrong(f"{at}: a ranking is longer than {_HITS:,}")
    hits = []
    for rank, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != 2:
            raise _Wrong(f"{at}: a place of a ranking is not an id and a score")
        score = None if row[1] is None else _is_number(row[1], f"{at}: a score")
        hits.append(Hit(_is_text(row[0], f"{at}: a document id", 2000), rank, score))
    try:
        return Ranking(query.id, tuple(hits), _text(shown, "scale", at, 60))
    except LabError as error:
        raise _Wrong(f"{at}: {error.message}") from None


def _trace(shown: Mapping[str, Any], at: str) -> Trace:
    values: dict[str, Any] = {}
    for item in fields(Trace):
        if item.name not in shown:
            continue
        given, where = shown[item.name], f"{at}: {item.name}"
        if item.name == "warnings":
            values[item.name] = tuple(_is_text(w, where, 5000) for w in _is(given, list, where))
        elif item.name == "counts":
            counts = _is(given, dict, where)
            values[item.name] = {name: _is_number(v, where) for name, v in counts.items()}
        elif item.name == "relevant_spans":
            values[item.name] = _spans(given, where)
        elif isinstance(item.default, str):
            values[item.name] = _is_text(given, where, 2000)
        else:
            number = _is_number(given, where)
            values[item.name] = number if isinstance(item.default, float) else int(number)
    return Trace(**values)


def _spans(shown: Any, at: str) -> dict[str, tuple[tuple[int, int], ...]]:
    spans = {}
    for name, listed in _is(shown, dict, at).items():
        pairs = [_is(pair, list, at) for pair in _is(listed, list, at)]
        if any(len(pair) != 2 for pair in pairs):
            raise _Wrong(f"{at}: a span is not a start and an end")
        spans[name] = tuple((int(_is_number(a, at)), int(_is_number(b, at))) for a, b in pairs)
    return spans


def _error(shown: Any, at: str) -> LabError:
    if not isinstance(shown, dict):
        raise _Wrong(f"{at}: an error is not an object")
    kind = _text(shown, "error", at, 60)
    message, hint = _text(shown, "message", at, _TEXT), _text(shown, "hint", at, _TEXT)
    if kind == errors.Cancelled.kind:
        return errors.Cancelled(message, hint=hint)
    details = _is_text(shown.get("details", ""), f"{at}: details", _TEXT)
    return _KINDS.get(kind, LabError)(message, hint=hint, details=details)


def _recording(lines: Sequence[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    with Recording(MEMORY) as recording:
        try:
            recording.add_lines(lines)
        except InvalidInput as error:
            raise _Wrong(f"among the answers, {error.problems[0]}") from None
        except RecursionError:
            raise _Wrong("among the answers, a line is nested too deep") from None
        return tuple(recording.lines())


def _object(line: str, at: str) -> dict[str, Any]:
    def no_number(text: str) -> float:
        raise ValueError(text)

    try:
        found = json.loads(line, parse_constant=no_number)
    except (ValueError, RecursionError):
        raise _Wrong(f"{at} is not JSON") from None
    if not isinstance(found, dict):
        raise _Wrong(f"{at} is not an object")
    return found


def _get(shown: Mapping[str, Any], name: str, kind: type[T], at: str) -> T:
    return _is(shown.get(name), kind, f"{at}: {name}")


def _is(value: Any, kind: type[T], where: str) -> T:
    if type(value) is not kind:
        raise _Wrong(f"{where} is missing or of another type")
    return value


def _text(shown: Mapping[str, Any], name: str, at: str, longest: int) -> str:
    return _is_text(shown.get(name), f"{at}: {name}", longest)


def _is_text(value: Any, where: str, longest: int) -> str:
    text = _is(value, str, where)
    if len(text) > longest:
        raise _Wrong(f"{where} is longer than {longest:,} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Wrong(f"{where} holds half of a character") from None
    return text


def _whole(shown: Mapping[str, Any], name: str, at: str) -> int:
    number = _get(shown, name, int, at)
    if not 0 <= number <= _LARGEST:
        raise _Wrong(f"{at}: {name} is out of range")
    return number


def _is_number(value: Any, where: str) -> float:
    if type(value) not in (int, float) or abs(value) > _LARGEST or not math.isfinite(value):
        raise _Wrong(f"{where} is not a number in range")
    return float(value)

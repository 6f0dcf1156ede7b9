"""The lines of a saved comparison: what is written, and how it is read from anybody's bytes.

msgspec checks types, lengths and ranges; what only this project knows (specs, rankings, errors) is
checked on the way to values. The first line is a header, then one line a column, then a recording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from rerank_lab.components.registry import current_spec
from rerank_lab.core import errors
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import Node, parse
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Hit, Query, Ranking, Status, Trace
from rerank_lab.pipeline.results import Result, StageResult
from rerank_lab.remote.recordings import Recording
from rerank_lab.remote.redaction import redacted
from rerank_lab.services.comparisons.value import (
    FORMAT,
    MAX_BYTES,
    MAX_TITLE,
    Comparison,
    Header,
    SavedColumn,
)

T = TypeVar("T")
_SHORTEST_KEY = 8
"""Shorter values are no keys; taking them out would garble the words they are a part of."""
_LARGEST = 10**15
_MAX_NESTED_FUSIONS = 8
Text = Annotated[str, Meta(max_length=200_000)]
Name = Annotated[str, Meta(max_length=2_000)]
SpecText = Annotated[str, Meta(max_length=10_000)]
Count = Annotated[int, Meta(ge=0, le=_LARGEST)]
Score = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
_ERRORS: Mapping[str, Callable[..., LabError]] = {
    kind.kind: kind
    for kind in (
        errors.InvalidInput,
        errors.MissingExtra,
        errors.MissingKey,
        errors.ModelUnavailable,
        errors.BackendError,
        errors.DeadlineExceeded,
        errors.SpendLimit,
        errors.ContractViolation,
    )
}


class CorpusRecord(msgspec.Struct):
    """The corpus that a comparison speaks of."""

    name: Annotated[str, Meta(max_length=500)]
    content_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    documents: Count


class QueryRecord(msgspec.Struct, omit_defaults=True):
    """The query, and the ids of the documents that it leaves out."""

    id: Annotated[str, Meta(max_length=500)]
    text: Text
    excluded: Annotated[list[Annotated[str, Meta(max_length=500)]], Meta(max_length=10_000)] = []


class HeaderRecord(msgspec.Struct):
    """Line 1."""

    format: str
    title: Annotated[str, Meta(max_length=MAX_TITLE)]
    created_at: Annotated[str, Meta(max_length=64)]
    corpus: CorpusRecord
    query: QueryRecord
    depth: Count
    show: Count
    pipelines: Annotated[list[SpecText], Meta(min_length=1, max_length=24)]
    versions: Annotated[dict[str, Annotated[str, Meta(max_length=100)]], Meta(max_length=20)]
    answers: Count


class ErrorRecord(msgspec.Struct, omit_defaults=True):
    """A LabError: its kind and what it says."""

    error: Annotated[str, Meta(max_length=60)]
    message: Text
    hint: Text
    details: Text = ""

    @classmethod
    def of(cls, error: LabError) -> ErrorRecord:
        """What is written of an error."""
        return cls(error.kind, error.message, error.hint, error.details)

    def value(self) -> LabError:
        """The error again, of its own class where that class is known."""
        if self.error == errors.Cancelled.kind:
            return errors.Cancelled(self.message, hint=self.hint)
        return _ERRORS.get(self.error, LabError)(self.message, hint=self.hint, details=self.details)


class RankingRecord(msgspec.Struct):
    """A ranking: document ids with their scores, best first."""

    scale: Annotated[str, Meta(max_length=60)]
    hits: Annotated[list[tuple[Name, Score | None]], Meta(max_length=100_000)]

    @classmethod
    def of(cls, ranking: Ranking) -> RankingRecord:
        """What is written of a ranking."""
        return cls(ranking.scale, [(hit.doc_id, hit.score) for hit in ranking])

    def value(self, query_id: str) -> Ranking:
        """The ranking again. Raises LabError when ids repeat or scores rise."""
        hits = [Hit(doc_id, rank, score) for rank, (doc_id, score) in enumerate(self.hits, 1)]
        return Ranking(query_id, tuple(hits), self.scale)


class StageRecord(msgspec.Struct):
    """One stage, with the sources of a fusion."""

    node: SpecText
    status: Status
    trace: Trace
    ranking: RankingRecord | None
    error: ErrorRecord | None
    reused: bool
    parts: Annotated[list[StageRecord], Meta(max_length=64)]

    @classmethod
    def of(cls, stage: StageResult) -> StageRecord:
        """What is written of a stage."""
        return cls(
            str(stage.node),
            stage.status,
            stage.trace,
            RankingRecord.of(stage.ranking) if stage.ranking is not None else None,
            ErrorRecord.of(stage.error) if stage.error is not None else None,
            stage.reused,
            [cls.of(part) for part in stage.parts],
        )

    def value(self, query_id: str, depth: int = 0) -> StageResult:
        """The stage again. Raises LabError for what is no stage or no ranking."""
        if depth > _MAX_NESTED_FUSIONS:
            raise InvalidInput("A fusion is nested too deep.", hint="Save it again.")
        return StageResult(
            _node(self.node),
            self.status,
            self.trace,
            self.ranking.value(query_id) if self.ranking is not None else None,
            self.error.value() if self.error is not None else None,
            self.reused,
            tuple(part.value(query_id, depth + 1) for part in self.parts),
        )


class ResultRecord(msgspec.Struct):
    """What a pipeline came to."""

    spec: SpecText
    stages: Annotated[list[StageRecord], Meta(min_length=1, max_length=64)]
    ranking: RankingRecord | None
    passages: dict[str, Name]


class ColumnRecord(msgspec.Struct, omit_defaults=True):
    """One pipeline: a result, or an error that came before any."""

    pipeline: SpecText
    error: ErrorRecord | None = None
    result: ResultRecord | None = None

    @classmethod
    def of(cls, column: SavedColumn) -> ColumnRecord:
        """What is written of a column."""
        result = column.result
        return cls(
            column.pipeline,
            ErrorRecord.of(column.error) if column.error is not None else None,
            None
            if result is None
            else ResultRecord(
                result.spec,
                [StageRecord.of(stage) for stage in result.stages],
                RankingRecord.of(result.ranking) if result.ranking is not None else None,
                dict(result.passages),
            ),
        )

    def value(self, query: Query) -> SavedColumn:
        """The column again. Raises LabError."""
        error = self.error.value() if self.error is not None else None
        if self.result is None:
            if error is None:
                raise InvalidInput("There is neither a result nor an error.", hint="Save it again.")
            return SavedColumn(current_spec(self.pipeline), None, error)
        written = self.result
        result = Result(
            current_spec(written.spec),
            query,
            tuple(stage.value(query.id) for stage in written.stages),
            written.ranking.value(query.id) if written.ranking is not None else None,
            written.passages,
        )
        return SavedColumn(current_spec(self.pipeline), result, error)


def header_values(header: Header, answers: int) -> dict[str, Any]:
    """Line 1 as plain values; `answers` counts the recorded ones that follow."""
    record = HeaderRecord(
        FORMAT,
        header.title,
        header.created_at,
        CorpusRecord(header.corpus, header.content_hash, header.documents),
        QueryRecord(header.query.id, header.query.text, sorted(header.query.excluded)),
        header.depth,
        header.show,
        list(header.pipelines),
        dict(header.versions or {}),
        answers,
    )
    values: dict[str, Any] = msgspec.to_builtins(record)
    return values


def column_values(column: SavedColumn) -> dict[str, Any]:
    """The line of a column as plain values."""
    values: dict[str, Any] = msgspec.to_builtins(ColumnRecord.of(column))
    return values


def to_bytes(comparison: Comparison, secrets: Sequence[str] = ()) -> bytes:
    """The file. `secrets` are taken out of every text, should one have got there.

    Raises InvalidInput when it would be larger than MAX_BYTES; the recording is left out first.
    """
    keys = [secret for secret in secrets if len(secret) >= _SHORTEST_KEY]
    columns = [_line(column_values(column), keys) for column in comparison.columns]
    recording = [_line(json.loads(line), keys) for line in comparison.recording]
    for answers in (recording, []):
        header = header_values(comparison.header, max(0, len(answers) - 1))
        data = "\n".join([_line(header, keys), *columns, *answers, ""]).encode()
        if len(data) <= MAX_BYTES:
            return data
    raise InvalidInput(
        f"This comparison is larger than {MAX_BYTES // 2**20} MB.",
        hint="Save fewer pipelines, or a smaller depth.",
    )


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
    header = header_of(lines[0] if lines else "")
    size = 1 + len(header.pipelines)
    columns = tuple(
        _checked(number, partial(_column, line, header.query))
        for number, line in enumerate(lines[1:size], 2)
    )
    if tuple(column.pipeline for column in columns) != header.pipelines:
        raise refused("the columns are not those that the first line names")
    recording = _recording(lines[size:])
    if header.answers != max(0, len(recording) - 1):
        raise refused("it is cut short: answers are missing at its end")
    return Comparison(header, columns, recording)


def header_of(line: str) -> Header:
    """The first line. Raises InvalidInput."""
    record = _checked(1, lambda: _decoded(line, HeaderRecord))
    if record.format != FORMAT:
        raise refused(f"line 1 does not begin with the format {FORMAT}")
    if len(set(record.pipelines)) < len(record.pipelines):
        raise refused("line 1: a pipeline stands twice")
    try:
        datetime.fromisoformat(record.created_at)
    except ValueError:
        raise refused("line 1: created_at is no date") from None
    return Header(
        record.title,
        record.created_at,
        record.corpus.name,
        record.corpus.content_hash,
        record.corpus.documents,
        Query(record.query.id, record.query.text, excluded=frozenset(record.query.excluded)),
        record.depth,
        record.show,
        tuple(map(current_spec, record.pipelines)),
        record.answers,
        record.versions,
    )


def refused(reason: str) -> InvalidInput:
    """The error for a file that is no saved comparison."""
    return InvalidInput(
        f"This is not a saved comparison that can be opened: {reason[:300]}.",
        hint="Choose a file that was downloaded from Saved comparisons, unchanged.",
    )


def _line(value: Any, keys: Sequence[str]) -> str:
    return json.dumps(_without(value, keys) if keys else value, allow_nan=False)


def _without(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, str):
        return redacted(value, keys)
    if isinstance(value, Mapping):
        return {name: _without(inner, keys) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, keys) for inner in value]
    return value


def _column(line: str, query: Query) -> SavedColumn:
    return _decoded(line, ColumnRecord).value(query)


def _decoded(line: str, kind: type[T]) -> T:
    return msgspec.json.decode(line, type=kind)


def _checked(number: int, read: Callable[[], T]) -> T:
    """What `read` gives for a line; any fault of the line is an InvalidInput that names it."""
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise refused(f"line {number}: {error}") from None
    except RecursionError:
        raise refused(f"line {number} is nested too deep") from None
    except LabError as error:
        raise refused(f"line {number}: {error.message.rstrip('.')}") from None


def _node(text: str) -> Node:
    nodes = parse(current_spec(text)).nodes
    if len(nodes) != 1:
        raise InvalidInput(f"{text[:60]!r} is no stage.", hint="Save it again.")
    return nodes[0]


def _recording(lines: Sequence[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    with Recording(MEMORY) as recording:
        try:
            recording.add_lines(lines)
        except InvalidInput as error:
            raise refused(f"among the answers, {error.problems[0]}") from None
        except RecursionError:
            raise refused("among the answers, a line is nested too deep") from None
        return tuple(recording.lines())

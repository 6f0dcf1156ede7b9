"""Judgments of a file in any shape, with what it says of judge, kind, note and time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.judged import JUDGMENT_READERS, judged_reader, word_scale
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.readers.judged.base import JudgedFile, JudgedPair
from rerank_lab.corpora.readers.judged.columns import column_named
from rerank_lab.corpora.readers.judged.grades import GradeScale, grade_on, is_unrated
from rerank_lab.corpora.source import Source, clean_text
from rerank_lab.judging.exchange.rater_columns import RaterColumns
from rerank_lab.judging.records import JudgeKind

CANNOT_TELL = "cannot tell"
"""How a table writes the grade of a judge who could not tell."""
_READERS = (RaterColumns(), *JUDGMENT_READERS)
_JUDGES = ("judge", "rater", "assessor", "annotator", "judge_name", "judged_by")
_KINDS = ("kind", "judge_kind")
_NOTES = ("note", "notes", "comment", "explanation", "reason")
_TIMES = ("at", "judged_at", "time", "timestamp", "date", "updated_at", "created_at")
_SECONDS = ("seconds",)
_HASHES = ("content_hash",)


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A judgment as a file has it, not compared with a corpus yet.

    Attributes:
        query: an id or a text; `query_text` is the text where the file has both.
        doc_id: "" for a query that is listed without a judgment.
        grade: as it stands in the file; None where it is left open.
        cannot_tell: the judge looked and could not tell.
        judge, kind, note, at, seconds, content_hash: "", None and 0 where the file is silent.
    """

    line: int
    query: str
    query_text: str
    doc_id: str
    grade: object
    cannot_tell: bool
    judge: str = ""
    kind: JudgeKind | None = None
    note: str = ""
    at: datetime | None = None
    seconds: float = 0.0
    content_hash: str = ""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The rows of a file, lazily; what it was read as, and whether a language model judged."""

    name: str
    label: str
    by_model: bool
    rows: Iterator[LabelRow]


def read_labels(source: Source, options: ReadOptions, log: ProblemLog) -> LabelFile:
    """The judgments of a file.

    Args:
        source: TREC, CSV or TSV, JSON lines or arrays, Parquet, RankLib or LETOR, nested JSON,
            Quepid's and OpenSearch's shapes.
        options: what the user says of encoding, separator, columns and format.
        log: gets what is wrong with the rows, as they are read.

    Raises:
        InvalidInput: the file has no shape that is known.
    """
    file = JudgedFile(source, options)
    reader = judged_reader(file, _READERS)
    scale = word_scale(file, reader, log)
    rows = reader.read(file, log)
    labels = (_label_row(pair, scale, source.name, log) for pair in rows.rows)
    return LabelFile(source.name, rows.label, _is_by_model(file.value), labels)


def _label_row(pair: JudgedPair, scale: GradeScale | None, file: str, log: ProblemLog) -> LabelRow:
    meta = pair.meta
    judge = _text(_cell(meta, _JUDGES)).strip()
    said = isinstance(pair.grade, str) and pair.grade.strip().casefold() == CANNOT_TELL
    open_grade = is_unrated(pair.grade)
    grade = grade_on(scale, pair.grade) if scale else pair.grade
    return LabelRow(
        pair.line,
        clean_text(pair.query),
        clean_text(pair.text),
        clean_text(pair.document or ""),
        None if said or open_grade else grade,
        said or (pair.grade is None and bool(judge) and pair.document is not None),
        judge,
        _kind(_cell(meta, _KINDS), pair.line, file, log),
        _text(_cell(meta, _NOTES)),
        _moment(_cell(meta, _TIMES), pair.line, file, log),
        _seconds(_cell(meta, _SECONDS)),
        _text(_cell(meta, _HASHES)).strip(),
    )


def _cell(meta: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The value of the column with one of these names; None without one, and for no value."""
    column = column_named(meta, names) if meta else None
    value = meta[column] if column else None
    return None if is_unrated(value) and not isinstance(value, str) else value


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else clean_text(str(value))


def _kind(value: Any, line: int, file: str, log: ProblemLog) -> JudgeKind | None:
    text = _text(value).strip().casefold()
    if not text:
        return None
    if text in set(JudgeKind):
        return JudgeKind(text)
    log.warning(
        f"{text[:40]!r} is no kind of judge; the row counts as imported.",
        "Kinds: " + ", ".join(JudgeKind) + ".",
        file=file,
        line=line,
        field="kind",
    )
    return None


def _moment(value: Any, line: int, file: str, log: ProblemLog) -> datetime | None:
    """The time in UTC; without a zone it is taken to be in UTC."""
    if isinstance(value, datetime):
        moment = value
    else:
        text = _text(value).strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            log.warning(
                f"{text[:40]!r} is no time; the time of the import is taken.",
                "Write times as 2026-03-01T12:00:00Z.",
                file=file,
                line=line,
                field="at",
            )
            return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the first or the last day of the calendar, in another zone
        return None


def _seconds(value: Any) -> float:
    try:
        seconds = float(_text(value) or 0)
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 1e9 else 0.0


def _is_by_model(value: Any) -> bool:
    """Whether OpenSearch says of its list that a language model made it."""
    if not isinstance(value, dict):
        return False
    hits = value.get("hits")
    inner = hits.get("hits") if isinstance(hits, dict) else None
    entries = [value, *(inner if isinstance(inner, list) else [])]
    sources = [e.get("_source", e) for e in entries if isinstance(e, dict)]
    return any(isinstance(s, dict) and s.get("type") == "LLM_JUDGMENT" for s in sources)

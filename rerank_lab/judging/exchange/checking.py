"""Which rows of files fit a corpus and what is stored already, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.core.types import Query
from rerank_lab.corpora.judged import QueryNames, without_decimals
from rerank_lab.corpora.readers.judged.grades import grade_of
from rerank_lab.judging.exchange.reading import LabelFile, LabelRow
from rerank_lab.judging.records import MAX_JUDGE_CHARS, JudgeKind, Judgment
from rerank_lab.judging.scales import Scale

HIGHEST_GRADE = 9
"""Scales of the lab have grades from 0 to 9."""
_HINT_GRADE = "Grade with whole numbers, such as 0 (not relevant) to 3 (answers it), or yes/no."


@dataclass(frozen=True, slots=True)
class LabelTarget:
    """What rows are to fit.

    Attributes:
        corpus: its name.
        queries: those that may be judged; those without a text are found by their id only.
        doc_ids: the documents that may be judged.
        stored: (query id, document id, judge) -> the row that counts now.
        scale: the grades that are allowed; None for any from 0 to 9.
        judge: who judged where a file does not say; "" for the name of the file.
        kind: of judges whose kind a file does not say.
        replace: a grade that differs from the stored one of the same judge takes its place.
        now: the time of rows without one.
    """

    corpus: str
    queries: Sequence[Query]
    doc_ids: Collection[str]
    stored: Mapping[tuple[str, str, str], Judgment]
    scale: Scale | None
    judge: str
    kind: JudgeKind
    replace: bool
    now: datetime


@dataclass(slots=True)
class LabelCheck:
    """Takes the rows of files one by one; `judgments` are those to be stored."""

    target: LabelTarget
    log: ProblemLog
    judgments: list[Judgment] = field(default_factory=list)
    rows: int = 0
    unknown: int = 0
    conflicts: int = 0
    _errors: int = 0
    _open: int = 0
    _known: int = 0
    _first: dict[tuple[str, str, str], tuple[int | None, str, int]] = field(default_factory=dict)
    _names: QueryNames = field(init=False)

    def __post_init__(self) -> None:
        self._names = QueryNames(self.target.queries)

    def add_file(self, file: LabelFile) -> None:
        """Every row of a file; rows that its reader could not use count as well."""
        before, mine = self.log.count(Severity.ERROR), self._errors
        self._open = self._known = 0
        for row in file.rows:
            self.rows += 1
            self._add(row, file)
        unusable = self.log.count(Severity.ERROR) - before - (self._errors - mine)
        self.rows += unusable
        if self._open:
            self.log.note(f"{self._open:,} rows leave the grade open.", file=file.name)
        if self._known:
            self.log.note(
                f"{self._known:,} rows are stored already with this grade; nothing was added.",
                file=file.name,
            )

    def _add(self, row: LabelRow, file: LabelFile) -> None:
        if not row.doc_id or (row.grade is None and not row.cannot_tell):
            self._open += 1
            return
        query_id = self._names.id_of(row.query, row.query_text)
        doc_id = without_decimals(row.doc_id, self.target.doc_ids)
        if not query_id or doc_id not in self.target.doc_ids:
            self.unknown += 1
            what, name = ("document", doc_id) if query_id else ("query", row.query)
            self._error(
                f"The corpus has no {what} {_short(name)}; the row was left out.",
                f"Check that judgments and {'documents' if query_id else 'queries'} use the same "
                "ids" + ("." if query_id else ", or the same texts."),
                file.name,
                row.line,
                what,
            )
            return
        judge = row.judge or self.target.judge or file.name
        if len(judge) > MAX_JUDGE_CHARS:
            self._error(
                f"The judge's name has more than {MAX_JUDGE_CHARS} characters.",
                "Give judges short names.", file.name, row.line, "judge",
            )  # fmt: skip
            return
        grade = None
        if not row.cannot_tell and (grade := self._grade(row, file)) is None:
            return
        self._take(row, file, (query_id, doc_id, judge), grade)

    def _grade(self, row: LabelRow, file: LabelFile) -> int | None:
        """The grade, if the scale has it."""
        grade, scale = grade_of(row.grade), self.target.scale
        if grade is None:
            message, hint = (
                f"The grade {_short(str(row.grade))} is not a whole number.",
                _HINT_GRADE,
            )
        elif scale is not None and grade not in scale.by_value:
            message = f"The grade {grade} is not on the scale {scale.title!r}."
            hint = (
                f"Its grades: {', '.join(map(str, scale.by_value))}. Name another scale if needed."
            )
        elif not 0 <= grade <= HIGHEST_GRADE:
            message = f"The grade {grade} is beyond every scale of the lab."
            hint = f"Scales go from 0 to at most {HIGHEST_GRADE}; change the grade."
        else:
            return grade
        self._error(message, hint, file.name, row.line, "grade")
        return None

    def _take(
        self, row: LabelRow, file: LabelFile, key: tuple[str, str, str], grade: int | None
    ) -> None:
        """Keep the row, unless the same judge graded this pair before."""
        query_id, doc_id, judge = key
        pair = f"query {_short(query_id)} and document {_short(doc_id)}"
        if key in self._first:
            first, first_file, line = self._first[key]
            where = f"{first_file}, line {line}"
            if first == grade:
                self.log.note(
                    f"{_short(judge)} judged {pair} twice alike (first in {where}); merged.",
                    file=file.name,
                    line=row.line,
                )
                return
            self._conflict(
                f"{_short(judge)} judged {pair} again, {_words(grade)} after {_words(first)} "
                f"({where}); the first is kept.",
                "Keep one judgment of each judge for each pair.", file, row,
            )  # fmt: skip
            return
        self._first[key] = (grade, file.name, row.line)
        stored = self.target.stored.get(key)
        if stored is not None and stored.grade == grade and row.note in ("", stored.note):
            self._known += 1
            return
        if stored is not None and stored.grade != grade and not self.target.replace:
            self._conflict(
                f"{_short(judge)} judged {pair} as {_words(stored.grade)} in the lab, the file "
                f"says {_words(grade)}; the lab's is kept.",
                "Import again with replace if the file is right, or under another judge's name.",
                file, row,
            )  # fmt: skip
            return
        kind = row.kind or (JudgeKind.LLM if file.by_model else self.target.kind)
        self.judgments.append(
            Judgment(
                self.target.corpus, query_id, doc_id, grade, judge, kind, row.at or self.target.now,
                note=row.note, seconds=row.seconds, content_hash=row.content_hash,
            )
        )  # fmt: skip

    def _conflict(self, message: str, hint: str, file: LabelFile, row: LabelRow) -> None:
        self.conflicts += 1
        self._error(message, hint, file.name, row.line)

    def _error(self, message: str, hint: str, file: str, line: int, field: str = "") -> None:
        self._errors += 1
        self.log.error(message, hint, file=file, line=line, field=field)


def _words(grade: int | None) -> str:
    return "cannot tell" if grade is None else str(grade)


def _short(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:79] + "…")

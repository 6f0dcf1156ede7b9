"""Judgments from files into the lab's store, and out of it into the files of other tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import Policy
from rerank_lab.core.problems import Problem, ProblemLog, Severity
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.checking import LabelCheck, LabelTarget
from rerank_lab.judging.exchange.formats import FORMATS, ExchangeFormat
from rerank_lab.judging.exchange.reading import read_labels
from rerank_lab.judging.exchange.writing import letor_numbers, write_grades, write_rows
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.records import MAX_JUDGE_CHARS, JudgeKind, Judgment
from rerank_lab.judging.scales import Scale
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.access import Action, needs

_KEPT_PROBLEMS = 200
COUNTED_KINDS = frozenset({JudgeKind.HUMAN, JudgeKind.IMPORTED, JudgeKind.DECIDED})
"""The kinds of judges whose labels are exported unless others are asked for."""


@dataclass(frozen=True, slots=True)
class JudgmentImport:
    """Read judgments of files into the store.

    Attributes:
        files: in any shape that is known; a file's name is the judge where nothing else says so.
        judge: who judged where a file does not say; "" for the name of the file.
        kind: of judges whose kind a file does not say.
        scale: the grades that are allowed; None for any from 0 to 9.
        options: how the files are read where that is not found out.
        replace: a grade that differs from the stored one of the same judge counts from now on.
        strict: store nothing when anything would be left out.
    """

    files: tuple[Source, ...]
    judge: str = ""
    kind: JudgeKind = JudgeKind.IMPORTED
    scale: Scale | None = None
    options: ReadOptions = field(default_factory=ReadOptions)
    replace: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ImportedJudgments:
    """What became of the rows of files.

    Attributes:
        rows: judgments in the files, usable or not.
        accepted: those that were stored now.
        unknown: those whose query or document the corpus lacks.
        conflicts: those that contradict an earlier row, or the store, for the same judge and pair.
        problems: what was left out and why, by file and line; the first 200 of each severity.
        readings: how each file was read, such as "qrels.txt: TREC judgments".
    """

    rows: int
    accepted: int
    unknown: int
    conflicts: int
    problems: tuple[Problem, ...]
    readings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        numbers = {n: getattr(self, n) for n in ("rows", "accepted", "unknown", "conflicts")}
        return numbers | {"problems": [problem.to_json() for problem in self.problems]}


@needs(Action.IMPORT)
def import_judgments(
    request: JudgmentImport, corpus: Corpus, store: JudgmentStore
) -> ImportedJudgments:
    """Store the judgments of files that fit a corpus; all that are accepted at once, or none.

    Raises:
        InvalidInput: a file cannot be read as judgments, or anything is wrong and the request is
            strict; then nothing was stored.
        StorageError: the database cannot be written.
    """
    judge = request.judge.strip()
    if len(judge) > MAX_JUDGE_CHARS:
        raise InvalidInput(
            f"The judge's name has more than {MAX_JUDGE_CHARS} characters.",
            hint="Give a short name.",
        )
    log = ProblemLog(_KEPT_PROBLEMS)
    stored = store.current(corpus.name)
    target = LabelTarget(
        corpus.name,
        _known_queries(corpus, store, stored),
        corpus.document_ids,
        {(row.query_id, row.doc_id, row.judge): row for row in stored},
        request.scale,
        judge,
        request.kind,
        request.replace,
        datetime.now(UTC),
    )
    check = LabelCheck(target, log)
    readings = []
    for source in request.files:
        file = read_labels(source, request.options, log)
        check.add_file(file)
        readings.append(f"{file.name}: {file.label}")
    if request.strict:
        log.raise_errors(
            "Nothing was imported: some rows cannot be used.",
            "Correct these rows, or import without strict to leave them out.",
        )
    store.append(check.judgments)
    return ImportedJudgments(
        check.rows,
        len(check.judgments),
        check.unknown,
        check.conflicts,
        _with_rest(log),
        tuple(readings),
    )


@dataclass(frozen=True, slots=True)
class JudgmentExport:
    """Write judgments of the store.

    Attributes:
        format: of the file.
        policy: how several judges become one grade; None for the row of each judge.
        judges: only these; empty for all.
        session_id: only of this session; None for all.
        kinds: which kinds of judges count.
    """

    format: ExchangeFormat
    policy: Policy | None = Policy.LATEST
    judges: frozenset[str] = frozenset()
    session_id: str | None = None
    kinds: frozenset[JudgeKind] = COUNTED_KINDS


@dataclass(frozen=True, slots=True)
class ExportedJudgments:
    """A file of judgments.

    Attributes:
        content: the file's text, to be written as UTF-8.
        file_name: a name for it.
        judgments: how many stand in it.
        queries: of how many queries.
        notes: what the file does not carry, and which rows were left out.
        qids: number in the file -> query id, where a format wants numbers and the ids are none.
    """

    content: str
    file_name: str
    judgments: int
    queries: int
    notes: tuple[str, ...]
    qids: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For `--json`, without the content."""
        values = {n: getattr(self, n) for n in ("judgments", "queries")}
        return values | {"notes": list(self.notes), "qids": dict(self.qids)}


def export_judgments(
    request: JudgmentExport, corpus: Corpus, store: JudgmentStore
) -> ExportedJudgments:
    """The judgments of a corpus as a file; the same rows give the same bytes.

    Raises:
        InvalidInput: there are none that count, a judge or session is not there, or the format has
            no place for what was asked.
    """
    if request.session_id:
        store.session(request.session_id)
    rows = store.current(corpus.name, session_id=request.session_id)
    names = {row.judge for row in rows}
    if absent := sorted(request.judges - names):
        raise InvalidInput(
            f"Nobody called {absent[0]!r} has judged this.",
            hint="Judges: " + (", ".join(sorted(names)) or "none yet") + ".",
        )
    rows = [row for row in rows if not request.judges or row.judge in request.judges]
    counting = [row for row in rows if row.kind in request.kinds]
    texts = {query.id: query.text for query in _known_queries(corpus, store, rows) if query.text}
    title = f"{corpus.name} labels"
    if request.policy is None:
        content = write_rows(counting, request.format, texts)
        pairs = [row.query_id for row in counting]
    else:
        models = frozenset(row.judge for row in counting if row.kind is JudgeKind.LLM)
        qrels = qrels_of(counting, request.policy, llm_judges=models, simulated=True)
        content = write_grades(qrels, request.format, texts, title)
        pairs = [query_id for query_id, graded in qrels.items() for _ in graded]
    if not pairs:
        raise InvalidInput(
            f"The lab has no labels of {corpus.name} that count here.",
            hint="Label some documents, or choose other judges, kinds or sessions.",
        )
    numbers = letor_numbers(pairs) if request.format is ExchangeFormat.LETOR else {}
    qids = {number: name for name, number in numbers.items() if number != name}
    notes = _export_notes(request, rows, counting)
    if qids:
        notes = (*notes, f"{len(qids):,} queries were numbered: RankLib's qid is a whole number. "
                 "Comments above the rows say which is which.")  # fmt: skip
    return ExportedJudgments(
        content,
        f"{corpus.name}-labels{FORMATS[request.format].suffix}",
        len(pairs),
        len(set(pairs)),
        notes,
        qids,
    )


def _export_notes(
    request: JudgmentExport, rows: Sequence[Judgment], counting: Sequence[Judgment]
) -> tuple[str, ...]:
    """What the file does not tell."""
    notes = []
    left_out = sorted({row.kind.value for row in rows} - set(request.kinds))
    if left_out:
        count = len(rows) - len(counting)
        notes.append(f"{count:,} labels of other kinds ({', '.join(left_out)}) are left out.")
    traits = FORMATS[request.format]
    if request.policy is not None:
        notes.append(f"One grade a pair by the policy {request.policy}: judges and notes are lost.")
    elif traits.missing:
        notes.append(f"{traits.title} carries no {traits.missing}.")
    open_rows = sum(row.grade is None for row in counting)
    if open_rows and not (request.policy is None and traits.details):
        notes.append(f"{open_rows:,} labels say 'cannot tell' and have no place in the file.")
    return tuple(notes)


def _known_queries(
    corpus: Corpus, store: JudgmentStore, rows: Sequence[Judgment]
) -> tuple[Query, ...]:
    """The queries that labels of a corpus may speak of: its own, built ones, and judged ones."""
    known = {query.id: query for query in corpus.queries}
    for query_set in store.query_sets(corpus.name):
        for one in query_set.queries:
            known.setdefault(one.query_id, Query(one.query_id, one.text))
    for session in store.sessions(corpus.name):
        for query_id, text in session.queries.items():
            known.setdefault(query_id, Query(query_id, text))
    for row in rows:
        known.setdefault(row.query_id, Query(row.query_id, ""))
    return tuple(known.values())


def _with_rest(log: ProblemLog) -> tuple[Problem, ...]:
    """The problems kept, and one that counts the others."""
    if not log.left_out:
        return log.problems
    rest = Problem(Severity.INFO, f"{log.left_out:,} more problems are not listed.")
    return (*log.problems, rest)

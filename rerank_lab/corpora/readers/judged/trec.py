"""TREC's judgments (query 0 document grade) and runs (query Q0 document rank score tag).

Columns are separated by white space, or where every line has the same number of tabs, by tabs: ids
may then hold spaces. Files with fewer columns are read as MS MARCO writes them. Lines that begin
with # and have another number of columns are comments.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import (
    JudgedFile,
    JudgedPair,
    JudgedReader,
    RankedPair,
    Rows,
)
from rerank_lab.corpora.readers.judged.columns import (
    DOCUMENTS,
    GRADES,
    QUERY_IDS,
    QUERY_TEXTS,
    RANKS,
    SCORES,
    column_key,
)
from rerank_lab.corpora.readers.judged.grades import grade_of

_TABLES = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
_QRELS = {4: "TREC judgments", 3: "judgments in three columns", 2: "relevant pairs (grade 1)"}
RUN_LABELS = {6: "TREC run", 4: "run in four columns", 3: "run in three columns"}
"""What a run of so many columns is called."""
SCORED_LABEL = "run in three columns, the last with scores"
_COLUMN_NAMES = frozenset((
    *QUERY_IDS, *QUERY_TEXTS, *DOCUMENTS, *GRADES, *SCORES, *RANKS, "iter", "iteration", "q0",
    "tag", "run", "run_id", "runid", "system", "unused", "0",
))  # fmt: skip
_QRELS_HINT = "Write: query 0 document grade."
_RUN_HINT = "Give six columns a line: query Q0 document rank score tag."


class TrecJudgments(JudgedReader[JudgedPair]):
    """Judgments of TREC, and pairs of query and document without a grade."""

    name = "trec"

    def recognises(self, file: JudgedFile) -> bool:
        """Columns by white space in a file that is no table, with grades as a last of four."""
        lines = _content(file.head)
        if file.source.suffix in _TABLES or not lines:
            return False
        cells = _split(lines[0], _has_tabs(lines))
        if file.table is None and not _has_tabs(lines) and len(lines[0].split()) > 1:
            return True  # no other shape is left: what is wrong with its lines is said by line
        if len(cells) == 4:
            return _number(cells[3]) is not None or grade_of(cells[3]) is not None
        if file.source.suffix == ".tsv" or _has_tabs(lines):
            return False  # a table, perhaps with a header
        widths = {len(line.split()) for line in lines}
        if widths == {3}:
            return all(grade_of(line.split()[2]) is not None for line in lines)
        return widths == {2} and file.source.suffix in (".qrels", ".qrel", ".trec")

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[JudgedPair]:
        """One judgment a line."""
        lines = _content(file.head)
        tabs = _has_tabs(lines)
        width = Counter(len(_split(line, tabs)) for line in lines).most_common(1)
        columns = width[0][0] if width and width[0][0] in _QRELS else 4
        rows = judged_lines(file.lines(log), log, file.name, columns, tabs)
        return Rows(rows, _QRELS[columns])


class TrecRun(JudgedReader[RankedPair]):
    """Runs of TREC, and of MS MARCO with three columns (query, document, rank)."""

    name = "trec"

    def recognises(self, file: JudgedFile) -> bool:
        """Any text that is no table: whatever is wrong with its lines is said by line."""
        return file.source.suffix not in _TABLES

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[RankedPair]:
        """One document a line."""
        lines = _content(file.head)
        tabs = _has_tabs(lines)
        widths = {len(_split(line, tabs)) for line in lines}
        columns = widths.pop() if len(widths) == 1 and widths <= {3, 4} else 6
        scored = columns == 3 and not _ends_in_ranks([_split(line, tabs) for line in lines])
        rows = ranked_lines(file.lines(log), log, file.name, columns, tabs, scored)
        return Rows(rows, SCORED_LABEL if scored else RUN_LABELS[columns])


def judged_lines(
    lines: Iterable[tuple[int, str]],
    log: ProblemLog,
    file: str,
    columns: int = 4,
    tabs: bool = False,
) -> Iterator[JudgedPair]:
    """Judgments from numbered lines; lines that cannot be used are reported and left out."""
    header = True
    for number, line in lines:
        cells = _split(line, tabs)
        if not cells or (line.startswith("#") and not _is_judged(cells, columns)):
            log.tally(file, "comment lines" if cells else "empty lines")
            continue
        if header := header and _names_columns(cells):
            log.tally(file, "header lines")
            continue
        if len(cells) != columns:
            log.error(
                f"The line has {len(cells)} columns, not {columns}.",
                _QRELS_HINT,
                file=file,
                line=number,
            )
            continue
        document = cells[2] if columns == 4 else cells[1]
        yield JudgedPair(number, cells[0], document, cells[-1] if columns > 2 else 1)


def ranked_lines(
    lines: Iterable[tuple[int, str]],
    log: ProblemLog,
    file: str,
    columns: int = 6,
    tabs: bool = False,
    scored: bool = False,
) -> Iterator[RankedPair]:
    """Places of documents from numbered lines; lines that cannot be used are reported.

    `scored` says that the last of three columns is a score and no rank.
    """
    header = True
    for number, line in lines:
        cells = _split(line, tabs)
        if not cells or (line.startswith("#") and not _is_ranked(cells, columns)):
            log.tally(file, "comment lines" if cells else "empty lines")
            continue
        if header := header and _names_columns(cells):
            log.tally(file, "header lines")
            continue
        if len(cells) < columns:
            log.error(
                f"The line has {len(cells)} columns, not {columns}.",
                _RUN_HINT,
                file=file,
                line=number,
            )
            continue
        rank, score = (cells[3], cells[4]) if columns == 6 else (cells[2], cells[columns - 1])
        place, value = _number(rank), _number(score)
        if place is None or value is None:
            log.error(
                f"Rank {rank!r} or score {score!r} is not a finite number.",
                _RUN_HINT,
                file=file,
                line=number,
            )
            continue
        document = cells[2] if columns == 6 else cells[1]
        ranked = None if scored else place
        tag = cells[5] if columns == 6 else ""
        yield RankedPair(
            number, cells[0], document, ranked, value if columns != 3 or scored else None, tag
        )


def _is_judged(cells: list[str], columns: int) -> bool:
    """Whether a line that begins with # is a judgment of a query whose id begins so."""
    graded = columns < 3 or grade_of(cells[-1]) is not None
    return len(cells) == columns and cells[0] != "#" and graded


def _is_ranked(cells: list[str], columns: int) -> bool:
    rank = 3 if columns == 6 else 2
    return len(cells) >= columns and cells[0] != "#" and _number(cells[rank]) is not None


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether a first line names its columns, such as `qid iter docno rel`."""
    keys = [column_key(cell) for cell in cells]
    return len(keys) > 1 and all(key in _COLUMN_NAMES for key in keys) and keys[0] != "0"


def _ends_in_ranks(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last cells are ranks: whole numbers from 0 or 1 on, not falling line by line."""
    by_query: dict[str, list[float]] = {}
    for cells in rows:
        if not _names_columns(cells):
            by_query.setdefault(cells[0], []).append(_number(cells[-1]) or 0.0)
    values = [value for ranks in by_query.values() for value in ranks]
    first = next(iter(by_query.values()), [])
    falling = any(len(ranks) > 1 for ranks in by_query.values()) and all(
        ranks == sorted(ranks, reverse=True) for ranks in by_query.values()
    )
    whole = all(value.is_integer() for value in values)
    return not values or (whole and min(first) in (0, 1) and not falling)


def _content(lines: Iterable[str]) -> list[str]:
    """The lines that are no comments, as far as that can be told without knowing the columns."""
    every = list(lines)
    return [line for line in every if not line.startswith("#")] or every


def _has_tabs(lines: list[str]) -> bool:
    """Whether tabs separate the columns: the same number of them, at least one, in every line."""
    tabs = {line.count("\t") for line in lines}
    return len(tabs) == 1 and tabs != {0}


def _split(line: str, tabs: bool) -> list[str]:
    """The cells of a line, without a comment after the third."""
    if tabs:
        return [cell.strip() for cell in line.split("\t")] if line.strip() else []
    cells = line.split()
    end = next((n for n, cell in enumerate(cells) if n > 2 and cell.startswith("#")), None)
    return cells[:end]


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

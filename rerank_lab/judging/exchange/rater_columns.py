"""Tables with a column for each judge, as the books of Quepid are exported: query,docid,Ana,Ben."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.table_cells import plain_cell
from rerank_lab.corpora.mapping import columns_of, id_text, is_headerless
from rerank_lab.corpora.readers.judged.base import JudgedFile, JudgedPair, JudgedReader, Rows
from rerank_lab.corpora.readers.judged.columns import (
    DOCUMENTS,
    GRADES,
    POSITIVES,
    QUERY_IDS,
    QUERY_TEXTS,
    RANKS,
    SCORES,
    column_named,
)
from rerank_lab.corpora.readers.judged.grades import grade_of, is_unrated
from rerank_lab.corpora.readers.judged.tables import judged_records

TAKEN = (
    *(*QUERY_IDS, *QUERY_TEXTS, *DOCUMENTS, *GRADES, *SCORES, *RANKS, *POSITIVES),
    *("_id", "text", "title", "iteration", "iter", "unused"),
)
"""Column names that cannot be those of judges."""


class RaterColumns(JudgedReader[JudgedPair]):
    """A query and a document a row, and the grades that the judges gave in a column each."""

    name = "raters"

    def recognises(self, file: JudgedFile) -> bool:
        """A table of queries and documents whose other columns all hold grades."""
        columns = columns_of(file.records)
        if is_headerless(columns):
            return False
        _, _, raters = _roles(columns)
        cells = [record.get(rater) for record in file.records for rater in raters]
        graded = [cell for cell in cells if not is_unrated(cell)]
        named = column_named(columns, (*GRADES, *SCORES))
        return (
            bool(raters and graded)
            and not named
            and all(grade_of(cell) is not None for cell in graded)
        )

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[JudgedPair]:
        """One judgment a filled cell; its `meta` names the judge."""
        query, document, raters = _roles(columns_of(file.records))
        columns = {"query": query or "", "document": document or "", "judges": ", ".join(raters)}
        return Rows(_rated(file, log), "a column for each judge", columns)


def _roles(columns: Sequence[str]) -> tuple[str | None, str | None, list[str]]:
    """The columns of queries and documents, and those of judges."""
    query = column_named(columns, (*QUERY_IDS, *QUERY_TEXTS))
    document = column_named([column for column in columns if column != query], DOCUMENTS)
    if query is None or document is None:
        return query, document, []
    rest = [column for column in columns if column not in (query, document)]
    return query, document, [column for column in rest if column_named([column], TAKEN) is None]


def _rated(file: JudgedFile, log: ProblemLog) -> Iterator[JudgedPair]:
    query, document, raters = _roles(columns_of(file.records))
    if file.table is None or query is None or document is None:
        return
    by_text = column_named([query], QUERY_TEXTS) is not None
    text = query if by_text else column_named(columns_of(file.records), QUERY_TEXTS)
    for line, record in judged_records(file, file.table, log):
        key, doc_id = id_text(record.get(query)), id_text(record.get(document))
        if key is None or doc_id is None:
            log.error(
                "The judgment has no query or no document; it was left out.",
                "Fill both columns in every row.",
                file=file.name,
                line=line,
            )
            continue
        words = str(record.get(text) or "") if text else ""
        grades = {rater: record.get(rater) for rater in raters}
        if all(map(is_unrated, grades.values())):
            yield JudgedPair(line, key, None, None, words)
        for rater, grade in grades.items():
            if not is_unrated(grade):
                judge = {"judge": str(plain_cell(rater)).strip()}
                yield JudgedPair(line, key, doc_id, grade, words, judge)

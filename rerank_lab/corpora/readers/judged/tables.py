"""Queries, judgments and runs in tables: CSV, TSV, JSON lines, JSON arrays, Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.table_cells import plain_cell
from rerank_lab.corpora.column_names import IDS_ABROAD
from rerank_lab.corpora.mapping import (
    META,
    Row,
    columns_of,
    id_text,
    is_headerless,
    is_running_text,
)
from rerank_lab.corpora.readers.base import COLUMN_ROLES, SAMPLE_RECORDS, TableReader
from rerank_lab.corpora.readers.delimited import DelimitedReader
from rerank_lab.corpora.readers.judged.base import (
    FoundQuery,
    JudgedFile,
    JudgedPair,
    JudgedReader,
    RankedPair,
    Rows,
)
from rerank_lab.corpora.readers.judged.columns import (
    DOCUMENTS,
    GRADES,
    NEGATIVES,
    POSITIVES,
    QUERY_IDS,
    QUERY_TEXTS,
    RANKS,
    SCORES,
    chosen_columns,
    column_named,
    grade_column,
)
from rerank_lab.corpora.readers.judged.grades import is_unrated
from rerank_lab.corpora.readers.judged.query_logs import FREQUENCY
from rerank_lab.corpora.readers.registry import reader_named
from rerank_lab.corpora.readers.written_lists import written_list
from rerank_lab.corpora.source import clean_text

_QRELS_HINT = (
    "Give TREC lines (query 0 document grade), or a table with the columns "
    "query-id, corpus-id and score."
)
_QUERY_KEYS = (*QUERY_IDS, "_id", "id", "number", *IDS_ABROAD)
_COUNTS = (
    *("frequency", "freq", "count", "counts", "searches", "search_volume", "volume"),
    *("total_unique_searches", "impressions", "clicks"),
)
"""Columns that say how often a query was asked."""
_TEXT_KEYS = ("text", *QUERY_TEXTS, "queries", "title")
RUN_SCORES = (*SCORES[:2], "retrieval_score", "similarity")
_LIST_SEPARATORS = re.compile(r"[,;|\s]+")


class TableJudgments(JudgedReader[JudgedPair]):
    """A judgment a row, or a query a row with the list of its relevant documents."""

    name = "table"

    def recognises(self, file: JudgedFile) -> bool:
        """Any table; what it lacks is said by column."""
        return True

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[JudgedPair]:
        """One judgment a row or list item."""
        table = _table(file)
        columns = columns_of(file.records)
        chosen = _judgment_columns(file, columns, log)
        if "documents" in chosen:
            return Rows(_listed(file, table, chosen, log), f"{table.label} of relevant ids", chosen)
        rows = _judged(file, table, chosen, log)
        label = table.label if "grade" in chosen else f"{table.label} without grades (grade 1)"
        return Rows(rows, label, chosen)


class TableQueries(JudgedReader[FoundQuery]):
    """A query a row; rows that repeat a query (candidate files, query logs) count once."""

    name = "table"

    def recognises(self, file: JudgedFile) -> bool:
        """Any table."""
        return file.table is not None or _has_pairs(file)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a row."""
        table = _table(file)
        records = file.records
        if not records:  # too short for its shape to be sure
            rows = table.read(file.source, file.options, ProblemLog())
            records = tuple(record for _, record in islice(rows, SAMPLE_RECORDS))
        chosen = _query_columns(file, columns_of(records), log)
        return Rows(_asked(file, table, chosen, log), table.label, chosen)


class TableRun(JudgedReader[RankedPair]):
    """A document of a ranking a row, with a score, a rank or both."""

    name = "table"

    def recognises(self, file: JudgedFile) -> bool:
        """A table with columns for query and document, and for rank or score."""
        return file.table is not None and len(_run_columns(file)) > 2

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[RankedPair]:
        """One document a row."""
        table, chosen = _table(file), _run_columns(file)
        if not chosen:
            raise InvalidInput(
                f"{file.name} has no columns for query, document and rank or score.",
                hint="Name them: --columns run.query=A,run.document=B,run.score=C; its columns "
                f"are: {', '.join(columns_of(file.records)[:20])}.",
            )
        return Rows(_ranked(file, table, chosen, log), table.label, chosen)


def _table(file: JudgedFile) -> TableReader:
    reader = file.table or reader_named("csv")
    assert isinstance(reader, TableReader)
    return reader


def _has_pairs(file: JudgedFile) -> bool:
    """Whether every line of the beginning has exactly one tab: an id and a text."""
    return bool(file.head) and all(line.count("\t") == 1 for line in file.head)


def _judgment_columns(file: JudgedFile, columns: list[str], log: ProblemLog) -> dict[str, str]:
    """The columns of query, document and grade, or of query and documents. Raises InvalidInput."""
    chosen = chosen_columns(file.options.columns, COLUMN_ROLES["qrels"], columns, file.name)
    if is_headerless(columns) and 2 <= len(columns) <= 4 and not chosen:
        if len(columns) == 2 and _is_listed(file, columns[1]):
            return {"query": columns[0], "documents": columns[1]}
        names = ("query", "document", "grade")
        taken = columns if len(columns) < 4 else [columns[0], *columns[2:]]
        return dict(zip(names, taken, strict=False))
    query = chosen.get("query") or column_named(columns, (*QUERY_IDS, *QUERY_TEXTS))
    rest = [column for column in columns if column not in (query, *chosen.values())]
    document = chosen.get("document") or column_named(rest, DOCUMENTS)
    listed = chosen.get("documents") or _list_column(file, rest)
    if (
        (listed and not document)
        or chosen.get("documents")
        or (listed and document in ("id", "_id"))
    ):
        query = query or column_named(columns, ("id", "_id"))
        if query and listed:
            negatives = chosen.get("negatives") or column_named(rest, NEGATIVES)
            roles = {"query": query, "documents": listed}
            return roles | ({"negatives": negatives} if negatives else {})
    if query is None and document in ("id", "_id"):
        query, document = document, None
    if query is not None and document is None and not chosen:
        document = _only_column_left(file, rest, log)
    if query is None or document is None:
        missing = [n for n, c in (("query", query), ("document", document)) if c is None]
        raise InvalidInput(
            f"{file.name} has no column for the {', the '.join(missing)}.",
            hint=_QRELS_HINT + (f" Its columns are: {', '.join(columns[:20])}." if columns else ""),
            problems=[f"{file.name}, field {name}: no such column" for name in missing],
        )
    rest = [column for column in rest if column != document]
    grade = chosen.get("grade") or grade_column(rest, file.records, file.name, log)
    chosen_roles = {"query": query, "document": document}
    if grade is None and rest and not _only_known(rest):
        raise InvalidInput(
            f"{file.name} has no column for the grade.",
            hint=f"Call it label, relevance or grade, or name it: --columns grade={rest[0]}.",
            problems=[f"{file.name}, field grade: no such column"],
        )
    return chosen_roles | ({"grade": grade} if grade else {})


def _only_column_left(file: JudgedFile, rest: Sequence[str], log: ProblemLog) -> str | None:
    """The one column beside query and grade, whatever its name: `Ticket #` names documents."""
    grade = column_named(rest, GRADES)
    others = (*QUERY_TEXTS, *SCORES, *RANKS, *_COUNTS, "text", "title", "passage", "iteration")
    left = [c for c in rest if c != grade and column_named([c], others) is None]
    if grade is None or len(left) != 1:
        return None
    values = [record.get(left[0]) for record in file.records]
    if any(isinstance(value, list | dict) for value in values):
        return None
    if is_running_text(file.records, left[0]):
        return None
    log.note(
        f"{left[0]!r} is read as the document: it is the only column beside query and grade.",
        "If that is not meant, name the column of documents doc_id.",
        file=file.name,
    )
    return left[0]


def _is_listed(file: JudgedFile, column: str) -> bool:
    """Whether cells hold several ids: a written list, or ids between commas."""
    cells = [str(record.get(column) or "") for record in file.records]
    return any("," in cell or cell.startswith("[") for cell in cells)


def _only_known(columns: Sequence[str]) -> bool:
    """Whether what is left says nothing about grades: texts, ids, TREC's unused second column."""
    known = (*QUERY_TEXTS, *QUERY_IDS, "text", "title", "passage", "iteration", "iter", "unused")
    return all(column_named([column], known) for column in columns)


def _list_column(file: JudgedFile, columns: Sequence[str]) -> str | None:
    column = column_named(columns, POSITIVES)
    values = [record.get(column) for record in file.records if column]
    lists = any(isinstance(value, list | dict) for value in values)
    written = any(isinstance(value, str) and value.strip()[:1] in ("[", "{") for value in values)
    named = column is not None and column_named([column], POSITIVES[:-1]) is not None
    return column if column and (lists or written or named) else None


def _judged(
    file: JudgedFile, table: TableReader, columns: Mapping[str, str], log: ProblemLog
) -> Iterator[JudgedPair]:
    query, document, grade = columns["query"], columns["document"], columns.get("grade")
    rest = [c for c in columns_of(file.records) if c not in columns.values()]
    by_text = column_named([query], QUERY_TEXTS) is not None
    text = query if by_text else column_named(rest, QUERY_TEXTS)
    for line, record in judged_records(file, table, log):
        query_id, doc_id = _key(record.get(query)), _key(record.get(document))
        grade_value: object = record.get(grade) if grade else 1
        words = record.get(text) if text else None
        if isinstance(record.get(query), dict):
            words = record[query].get("text")
        if (
            query_id is not None
            and is_unrated(record.get(document))
            and (grade is None or is_unrated(grade_value))
        ):
            yield JudgedPair(line, query_id, None, None, words if isinstance(words, str) else "")
            continue
        if query_id is None or doc_id is None:
            log.error(
                "The judgment has no query or no document; it was left out.",
                "Fill both columns in every row.",
                file=file.name,
                line=line,
                field=query if query_id is None else document,
            )
            continue
        meta = {column: record[column] for column in rest if column in record and column != text}
        yield JudgedPair(
            line, query_id, doc_id, grade_value, words if isinstance(words, str) else "", meta
        )


def judged_records(file: JudgedFile, table: TableReader, log: ProblemLog) -> Iterator[Row]:
    """The rows of a table, the cells of a CSV file as they were before they were made harmless."""
    rows = table.read(file.source, file.options, log)
    if not isinstance(table, DelimitedReader):
        return rows
    return (
        (line, {name: plain_cell(cell) for name, cell in record.items()}) for line, record in rows
    )


def _key(value: Any) -> str | None:
    """An id, alone or inside an object such as {"id": "1", "text": "coffee"}."""
    if isinstance(value, dict):
        inner = column_named(value, (*QUERY_IDS, *DOCUMENTS, "_id"))
        value = value[inner] if inner else None
    return id_text(value)


def _listed(
    file: JudgedFile, table: TableReader, columns: Mapping[str, str], log: ProblemLog
) -> Iterator[JudgedPair]:
    query, documents = columns["query"], columns["documents"]
    text = column_named([c for c in columns_of(file.records) if c != query], QUERY_TEXTS)
    for line, record in table.read(file.source, file.options, log):
        query_id = id_text(record.get(query))
        graded = listed_ids(record.get(documents))
        if query_id is None or graded is None:
            log.error(
                "The row has no query, or no list of documents; it was left out.",
                'Write lists as ["d1", "d2"] or d1, d2.',
                file=file.name,
                line=line,
                field=query if query_id is None else documents,
            )
            continue
        words = str(record.get(text) or "") if text else ""
        if not graded:
            yield JudgedPair(line, query_id, None, None, words)
        others = listed_ids(record.get(columns.get("negatives", ""))) or {}
        zeros = dict.fromkeys(others, 0)
        for doc_id, grade in (zeros | graded).items():
            yield JudgedPair(line, query_id, doc_id, grade, words)


def listed_ids(value: Any) -> dict[str, object] | None:
    """Ids with their grades from a list, a dictionary or a cell such as `['d1', 'd2']` or `d1;d2`.

    None for what holds no ids, and for a list that was shortened when it was printed.
    """
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in ("[", "{"):
            items = written_list(text)
            if items is None and "..." in text:
                return None  # shortened when it was printed
            value = items or [part for part in _LIST_SEPARATORS.split(text[1:-1]) if part]
        else:
            value = [part for part in _LIST_SEPARATORS.split(text) if part]
    if isinstance(value, dict):
        return {str(doc_id): grade for doc_id, grade in value.items()}
    if isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, list | tuple):
        return None
    graded = [_graded(one) if isinstance(one, dict) else (id_text(one), 1) for one in value]
    return {doc_id: grade for doc_id, grade in graded if doc_id is not None}


def _graded(item: Mapping[str, Any]) -> tuple[str | None, object]:
    """The id of an object in a list of documents, and its grade: 1 where it has none."""
    document, grade = column_named(item, (*DOCUMENTS, "_id")), column_named(item, GRADES)
    return id_text(item[document]) if document else None, item[grade] if grade else 1


def _query_columns(file: JudgedFile, columns: list[str], log: ProblemLog) -> dict[str, str]:
    chosen = chosen_columns(file.options.columns, ("id", "text"), columns, file.name)
    if is_headerless(columns) and len(columns) in (1, 2) and not chosen:
        names = ("text",) if len(columns) == 1 else ("id", "text")
        return dict(zip(names, columns, strict=True))
    if is_headerless(columns) and len(columns) == 4 and not chosen:
        return {"id": columns[0], "text": columns[2]}  # MS MARCO's query, passage, both texts
    texts = QUERY_TEXTS if column_named(columns, DOCUMENTS[:-1]) else _TEXT_KEYS
    text = chosen.get("text") or column_named(columns, texts) or column_named(columns, _TEXT_KEYS)
    if text is None and (text := _only_words(file, columns)):
        log.warning(
            f"The column {text!r} was taken for the queries: no other one holds words.",
            "If that is not meant, name the one that is: --columns queries.text=NAME.",
            file=file.name,
            field=text,
        )
    if text is None:
        raise InvalidInput(
            f"{file.name} has no column of query texts.",
            hint=f"Call it text or query; its columns are: {', '.join(columns[:20])}.",
        )
    rest = [column for column in columns if column != text]
    query_id = chosen.get("id") or column_named(rest, _QUERY_KEYS)
    return ({"id": query_id} if query_id else {}) | {"text": text}


def _only_words(file: JudgedFile, columns: Sequence[str]) -> str | None:
    """The one column with words of some length, where the others have none."""
    wordy = [column for column in columns if is_running_text(file.records, column)]
    return wordy[0] if len(wordy) == 1 and not is_headerless(columns) else None


def _asked(
    file: JudgedFile, table: TableReader, columns: Mapping[str, str], log: ProblemLog
) -> Iterator[FoundQuery]:
    id_column, text_column = columns.get("id"), columns["text"]
    used = (id_column, text_column, META)
    counts = column_named((c for c in columns_of(file.records) if c not in used), _COUNTS)
    for line, record in table.read(file.source, file.options, log):
        value = record.get(text_column)
        nested = value if isinstance(value, dict) else {}
        query_id = id_text(record.get(id_column)) if id_column else ""
        if nested:  # rank_llm: {"query": {"qid": "1", "text": "..."}}
            inner = column_named(nested, (*QUERY_IDS, "id"))
            query_id = query_id or (id_text(nested[inner]) if inner else "")
            value = nested.get("text")
        missing = isinstance(value, bool) or (isinstance(value, float) and math.isnan(value))
        usable = isinstance(value, str | int | float) and not missing
        text = clean_text(str(value)).strip() if usable else ""
        if not text or query_id is None:
            log.error(
                f"The query has no {'text' if not text else 'id'}; it was left out.",
                "Give every query an id and a text, or leave the id column out.",
                file=file.name,
                line=line,
                field=text_column if not text else id_column or "",
            )
            continue
        meta = {name: v for name, v in record.items() if name not in used and v}
        if counts and (asked := _count(record.get(counts))):
            meta |= {FREQUENCY: asked}
        more = record.get(META)
        yield FoundQuery(line, query_id, text, meta | (more if isinstance(more, dict) else {}))


def _count(value: Any) -> int:
    """How often a query was asked, from a number or a cell such as `1,200`; 0 for no number."""
    text = str(value).strip().replace(",", "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0


def _run_columns(file: JudgedFile) -> dict[str, str]:
    columns = columns_of(file.records)
    roles = ("query", "document", "rank", "score")
    chosen = chosen_columns(file.options.columns, roles, columns, file.name)
    if is_headerless(columns) and not chosen:
        return {}
    free = [column for column in columns if column not in chosen.values()]
    query = chosen.get("query") or column_named(free, (*QUERY_IDS, *QUERY_TEXTS))
    rest = [column for column in free if column != query]
    names = {
        "query": query,
        "document": chosen.get("document") or column_named(rest, DOCUMENTS),
        "rank": chosen.get("rank") or column_named(rest, RANKS),
        "score": chosen.get("score") or column_named(rest, RUN_SCORES),
    }
    if not (names["query"] and names["document"] and (names["rank"] or names["score"])):
        return {}
    return {role: column for role, column in names.items() if column}


def _ranked(
    file: JudgedFile, table: TableReader, columns: Mapping[str, str], log: ProblemLog
) -> Iterator[RankedPair]:
    for line, record in table.read(file.source, file.options, log):
        query_id, doc_id = (
            id_text(record.get(columns["query"])),
            id_text(record.get(columns["document"])),
        )
        numbers = {
            role: _number(record.get(columns[role]))
            for role in ("rank", "score")
            if role in columns
        }
        if query_id is None or doc_id is None or None in numbers.values():
            log.error(
                "The row has no query, document, rank or score; it was left out.",
                "Fill these columns in every row, with numbers for rank and score.",
                file=file.name,
                line=line,
            )
            continue
        yield RankedPair(line, query_id, doc_id, numbers.get("rank"), numbers.get("score"))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None

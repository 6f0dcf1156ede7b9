"""Query files and judgment files, in every shape they come in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Query
from rerank_lab.corpora.mapping import (
    DOC_ID,
    GRADE,
    JUDGED_DOC,
    JUDGED_QUERY,
    META,
    QUERY_ID,
    QUERY_TEXT,
    Record,
    Row,
    columns_of,
    find_column,
    id_text,
    is_headerless,
    peek,
)
from rerank_lab.corpora.readers.base import ReadOptions, TableReader
from rerank_lab.corpora.readers.registry import choose_table_reader, reader_named
from rerank_lab.corpora.source import Source, clean_text, detect_decoding, read_lines
from rerank_lab.corpora.trec import add_judgment, parse_qrels

QrelsDict = dict[str, dict[str, int]]
_QRELS_HINT = (
    "Give TREC lines (query 0 document grade), or a table with the columns "
    "query-id, corpus-id and score."
)


def read_queries(source: Source, options: ReadOptions, log: ProblemLog) -> list[Query]:
    """Queries from CSV, TSV, JSON, JSONL, Parquet, or plain text with one query a line.

    Without ids, a query's id is derived from its text. Raises InvalidInput when none is usable.
    """
    reader = choose_table_reader(source, options)
    if reader is None:
        reader = _table_reader("csv" if _has_tabs(source) else "lines")
    first, rows = peek(reader.read(source, options, log))
    if not first:
        raise _no_queries(source, log)
    id_column, text_column = _query_columns([record for _, record in first], source.name)
    queries: dict[str, Query] = {}
    for line, record in rows:
        query = _query(line, record, (id_column, text_column), log, source.name)
        if query is None:
            continue
        known = queries.setdefault(query.id, query)
        if known.text != query.text:
            log.error(
                f"Query {query.id!r} is given again with another text; the first is kept.",
                "Give every query its own id.",
                file=source.name,
                line=line,
            )
    if not queries:
        raise _no_queries(source, log)
    return list(queries.values())


def read_judgments(source: Source, options: ReadOptions, log: ProblemLog) -> QrelsDict:
    """Judgments from a TREC file (4 columns) or a table (CSV, TSV, JSON, JSONL, Parquet).

    Raises InvalidInput when the file has no usable judgment.
    """
    if _is_trec(source, options):
        decoding = detect_decoding(source, log, options.encoding)
        qrels = parse_qrels(read_lines(source, decoding, log, options.limits), log, source.name)
    else:
        reader = choose_table_reader(source, options) or _table_reader("csv")
        qrels = _table_judgments(reader.read(source, options, log), source.name, log)
    if not any(qrels.values()):
        raise InvalidInput(
            f"{source.name} holds no usable judgment.", hint=_QRELS_HINT, problems=log.lines()
        )
    return {query_id: judged for query_id, judged in qrels.items() if judged}


def check_judgments(
    qrels: Mapping[str, Mapping[str, int]],
    doc_ids: Collection[str],
    query_ids: Collection[str],
    log: ProblemLog,
    file: str = "judgments",
) -> QrelsDict:
    """`qrels` without the queries that are not there; unknown documents stay, and are reported.

    A relevant document that the corpus lacks is one that no pipeline can find: as in trec_eval it
    counts in the ideal ranking. Judgments that name no document of the corpus at all belong to
    another corpus: InvalidInput.
    """
    unknown_queries = [query_id for query_id in qrels if query_id not in query_ids]
    kept = {q: dict(judged) for q, judged in qrels.items() if q in query_ids}
    named = {doc_id for judged in qrels.values() for doc_id in judged}
    unknown = sorted(named - set(doc_ids))
    if len(unknown) == len(named):
        raise InvalidInput(
            f"{file} names no document of this corpus; its first is {unknown[0]!r}.",
            hint="Check that judgments and documents use the same ids.",
        )
    if qrels and not kept:
        raise InvalidInput(
            f"{file} names none of the queries; its first is {unknown_queries[0]!r}.",
            hint="Check that judgments and queries use the same ids.",
        )
    if unknown:
        log.warning(
            f"{len(unknown):,} of {len(named):,} judged documents are not in the corpus: "
            f"{_some(unknown)}. They count as never found.",
            "Add the documents, or take their judgments out, if that is not meant.",
            file=file,
            field="document",
        )
    if unknown_queries:
        log.warning(
            f"{len(unknown_queries):,} of {len(qrels):,} judged queries are not in the query set: "
            f"{_some(unknown_queries)}. Their judgments were left out.",
            "Add the queries if they belong here.",
            file=file,
            field="query",
        )
    return kept


def _table_reader(name: str) -> TableReader:
    reader = reader_named(name)
    assert isinstance(reader, TableReader)
    return reader


def _no_queries(source: Source, log: ProblemLog) -> InvalidInput:
    return InvalidInput(
        f"{source.name} holds no usable query.",
        hint="Give one query a line, or a table with the columns id and text.",
        problems=log.lines(),
    )


def _query_columns(records: list[Record], file: str) -> tuple[str | None, str]:
    columns = columns_of(records)
    if is_headerless(columns) and len(columns) in (1, 2):
        return (columns[0], columns[1]) if len(columns) == 2 else (None, columns[0])
    text = find_column(columns, QUERY_TEXT)
    if text is None:
        raise InvalidInput(
            f"{file} has no column of query texts.",
            hint=f"Call it text or query; its columns are: {', '.join(columns[:20])}.",
        )
    return find_column([c for c in columns if c != text], QUERY_ID), text


def _query(
    line: int, record: Record, columns: tuple[str | None, str], log: ProblemLog, file: str
) -> Query | None:
    id_column, text_column = columns
    text = record.get(text_column)
    query_id = id_text(record.get(id_column)) if id_column else ""
    text = clean_text(str(text)).strip() if isinstance(text, str | int | float) else ""
    if not text or query_id is None:
        log.error(
            f"The query has no {'text' if not text else 'id'}; it was left out.",
            "Give every query an id and a text, or leave the id column out.",
            file=file,
            line=line,
            field=text_column if not text else id_column or "",
        )
        return None
    known = (id_column, text_column, META)
    meta = {name: value for name, value in record.items() if name not in known and value}
    more = record.get(META)
    meta |= more if isinstance(more, dict) else {}
    return Query(query_id, text, meta) if query_id else Query(Query.of(text).id, text, meta)


def _table_judgments(rows: Iterator[Row], file: str, log: ProblemLog) -> QrelsDict:
    first, rows = peek(rows)
    if not first:
        return {}
    columns = columns_of(record for _, record in first)
    if is_headerless(columns) and len(columns) in (3, 4):
        query, doc, grade = columns[0], columns[-2], columns[-1]
    else:
        query, doc, grade = _judged_columns(columns, file)
    qrels: QrelsDict = {}
    for line, record in rows:
        query_id, doc_id = id_text(record.get(query)), id_text(record.get(doc))
        if query_id is None or doc_id is None:
            log.error(
                "The judgment has no query or no document; it was left out.",
                "Fill both columns in every row.",
                file=file,
                line=line,
                field=query if query_id is None else doc,
            )
            continue
        add_judgment(qrels, (query_id, doc_id, record.get(grade, 1)), log, file=file, line=line)
    return qrels


def _judged_columns(columns: list[str], file: str) -> tuple[str, str, str]:
    query = find_column(columns, JUDGED_QUERY)
    doc = find_column([c for c in columns if c != query], JUDGED_DOC + DOC_ID)
    grade = find_column([c for c in columns if c not in (query, doc)], GRADE)
    missing = [n for n, c in (("query", query), ("document", doc), ("grade", grade)) if c is None]
    if query is None or doc is None or grade is None:
        raise InvalidInput(
            f"{file} has no column for the {', the '.join(missing)}.",
            hint=_QRELS_HINT,
            problems=[f"{file}, field {name}: no such column" for name in missing],
        )
    return query, doc, grade


def _is_trec(source: Source, options: ReadOptions) -> bool:
    """Four columns separated by white space, the last a number, in the first line that counts."""
    if source.suffix in (".csv", ".json", ".jsonl", ".parquet", ".pq"):
        return False
    decoding = detect_decoding(source, ProblemLog(), options.encoding)
    lines = read_lines(source, decoding, ProblemLog(), options.limits)
    told = (line for _, line in lines if line.strip() and not line.startswith("#"))
    cells = next(told, "").split()
    return len(cells) == 4 and cells[3].lstrip("+-").replace(".", "", 1).isdigit()


def _has_tabs(source: Source) -> bool:
    """Every line of the beginning has exactly one tab: an id and a text."""
    lines = [line for line in source.head().split(b"\n")[:50] if line.strip()]
    return bool(lines) and all(line.count(b"\t") == 1 for line in lines[:-1] or lines)


def _some(names: list[str], count: int = 5) -> str:
    shown = ", ".join(map(repr, names[:count]))
    return f"{shown}, ..." if len(names) > count else shown

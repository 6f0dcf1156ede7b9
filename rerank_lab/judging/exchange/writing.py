"""Judgments as a file of another tool: the same rows always give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from itertools import count

import msgspec

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.corpora.readers.judged.columns import column_named
from rerank_lab.judging.exchange.formats import FORMATS, ExchangeFormat
from rerank_lab.judging.exchange.rater_columns import TAKEN
from rerank_lab.judging.exchange.reading import CANNOT_TELL
from rerank_lab.judging.records import Judgment

_COLUMNS = ("query_id", "doc_id", "grade")
_DETAILS = ("judge", "kind", "note", "at", "seconds", "content_hash")
_DECEPTIVE = re.compile(r"docid\s*=", re.IGNORECASE)
_WHOLE = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_TO_QUOTE = re.compile(r'[",\r\n]')
Grades = Mapping[str, Mapping[str, int]]


def write_grades(
    qrels: Grades, export_format: ExchangeFormat, texts: Mapping[str, str], title: str
) -> str:
    """One grade a pair, in any format.

    Args:
        qrels: query id -> document id -> grade.
        export_format: how it is written.
        texts: query id -> text, for the formats that name queries by their text.
        title: what OpenSearch is to call the list.

    Raises:
        InvalidInput: an id or a text has no place in the format.
    """
    pairs = [(q, d, qrels[q][d]) for q in sorted(qrels) for d in sorted(qrels[q])]
    _check_ids(((q, d) for q, d, _ in pairs), export_format)
    if export_format is ExchangeFormat.TREC:
        return "".join(f"{q} 0 {d} {grade}\n" for q, d, grade in pairs)
    if export_format is ExchangeFormat.LETOR:
        return _letor(pairs)
    if export_format is ExchangeFormat.JSONL:
        return _lines(dict(zip(_COLUMNS, pair, strict=True)) for pair in pairs)
    if export_format is ExchangeFormat.CSV:
        return _csv(_COLUMNS, ([*map(harmless_cell, (q, d)), str(g)] for q, d, g in pairs))
    grades = _by_text(((texts.get(q, q), d, "", grade) for q, d, grade in pairs), export_format)
    if export_format is ExchangeFormat.QUEPID:
        rows = (
            [_spaced(text), _spaced(doc), str(grade)] for (text, doc, _), grade in grades.items()
        )
        return _csv(("query", "docid", "rating"), rows)
    return _judgment_list(grades, title)


def letor_numbers(query_ids: Iterable[str]) -> dict[str, str]:
    """Query id -> the whole number that RankLib reads in its place.

    An id that is a whole number stays; the others get the numbers that are free, from 1, in the
    order of the ids.
    """
    names = sorted(set(query_ids))
    numbers = {name: name for name in names if _WHOLE.fullmatch(name)}
    free = (str(number) for number in count(1) if str(number) not in numbers)
    return {name: numbers.get(name) or next(free) for name in names}


def _letor(pairs: Sequence[tuple[str, str, int]]) -> str:
    """RankLib's lines; queries that had to be numbered stand above them, as comments."""
    numbers = letor_numbers(query_id for query_id, _, _ in pairs)
    heads = [f"# qid:{number}: {name}\n" for name, number in numbers.items() if number != name]
    return "".join((*heads, *(f"{grade} qid:{numbers[q]} # {d}\n" for q, d, grade in pairs)))


def write_rows(
    rows: Sequence[Judgment], export_format: ExchangeFormat, texts: Mapping[str, str]
) -> str:
    """One row a judge and pair, in a format that has a place for judges.

    Args:
        rows: of each judge and pair one.
        export_format: how they are written.
        texts: query id -> text, for the formats that name queries by their text.

    Raises:
        InvalidInput: the format has no place for judges, or for an id.
    """
    if not FORMATS[export_format].judges:
        able = ", ".join(name for name, traits in FORMATS.items() if traits.judges)
        raise InvalidInput(
            f"{FORMATS[export_format].title} has no place for judges.",
            hint=f"Choose a policy that gives each pair one grade, or one of: {able}.",
        )
    ordered = sorted(rows, key=lambda row: (row.query_id, row.doc_id, row.judge))
    if export_format is ExchangeFormat.JSONL:
        return _lines(_fields(row) for row in ordered)
    if export_format is ExchangeFormat.CSV:
        return _csv((*_COLUMNS, *_DETAILS), (_cells(row) for row in ordered))
    return _book(ordered, texts)


def _fields(row: Judgment) -> dict[str, object]:
    """What the detailed formats have of a row, in their order."""
    return {
        "query_id": row.query_id,
        "doc_id": row.doc_id,
        "grade": CANNOT_TELL if row.grade is None else row.grade,
        "judge": row.judge,
        "kind": row.kind.value,
        "note": row.note,
        "at": row.at.astimezone(UTC).isoformat(),
        "seconds": row.seconds,
        "content_hash": row.content_hash,
    }


def _cells(row: Judgment) -> list[str]:
    return [harmless_cell(v) if isinstance(v, str) else str(v) for v in _fields(row).values()]


def _book(rows: Sequence[Judgment], texts: Mapping[str, str]) -> str:
    """The shape of a book of Quepid: a column a judge, empty where a judge gave no grade."""
    judges = sorted({row.judge for row in rows})
    for judge in judges:
        if column_named([judge], TAKEN):
            raise InvalidInput(
                f"A judge's column cannot be called {judge!r} in Quepid's CSV.",
                hint="Export as csv or jsonl, or with a policy.",
            )
    named = ((texts.get(r.query_id, r.query_id), r.doc_id, r.judge, r.grade) for r in rows)
    grades = _by_text(
        ((text, doc, judge, grade) for text, doc, judge, grade in named if grade is not None),
        ExchangeFormat.QUEPID,
    )
    pairs = dict.fromkeys((text, doc) for text, doc, _ in grades)
    cells = (
        [_spaced(text), _spaced(doc), *(str(grades.get((text, doc, j), "")) for j in judges)]
        for text, doc in pairs
    )
    return _csv(("query", "docid", *map(_spaced, judges)), cells)


def _by_text(
    grades: Iterable[tuple[str, str, str, int]], export_format: ExchangeFormat
) -> dict[tuple[str, str, str], int]:
    """(text, document, judge) -> grade, where two queries of one text agree."""
    by_text: dict[tuple[str, str, str], int] = {}
    for text, doc_id, judge, grade in grades:
        plain = " ".join(text.split())
        if by_text.setdefault((plain, doc_id, judge), grade) != grade:
            raise InvalidInput(
                f"Two queries have the text {plain[:80]!r} and judgments that differ.",
                hint=f"{FORMATS[export_format].title} names queries by their text; choose csv, "
                "jsonl, trec or letor.",
            )
    return by_text


def _judgment_list(grades: Mapping[tuple[str, str, str], int], title: str) -> str:
    ratings: dict[str, list[dict[str, str]]] = {}
    for (text, doc_id, _), grade in grades.items():
        ratings.setdefault(text, []).append({"docId": doc_id, "rating": f"{grade}.0"})
    body = {
        "name": title,
        "description": "Relevance judgments of Rerank Lab",
        "type": "IMPORT_JUDGMENT",
        "judgmentRatings": [{"query": text, "ratings": one} for text, one in ratings.items()],
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode() + "\n"


def _check_ids(pairs: Iterable[tuple[str, str]], export_format: ExchangeFormat) -> None:
    if FORMATS[export_format].spaces:
        return
    for query_id, doc_id in pairs:
        spaced = next((name for name in (query_id, doc_id) if name.split() != [name]), None)
        comment = (
            query_id == "#"
            if export_format is ExchangeFormat.TREC
            else (_DECEPTIVE.match(doc_id) is not None)
        )
        if spaced is not None or comment:
            name = spaced if spaced is not None else f"{query_id} {doc_id}"
            raise InvalidInput(
                f"{name!r} has no place in {FORMATS[export_format].title}: white space and "
                "comment marks separate its columns.",
                hint="Export as csv or jsonl.",
            )


def _spaced(text: str) -> str:
    """As Quepid makes a cell harmless, and reads it: with a space before it."""
    return " " + text if text[:1] in ("=", "+", "-", "@") else text


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines of RFC 4180. `csv.writer` would leave a lone carriage return unquoted."""
    return "".join(",".join(map(_quoted, row)) + "\n" for row in (header, *rows))


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell


def _lines(values: Iterable[Mapping[str, object]]) -> str:
    return "".join(msgspec.json.encode(value).decode() + "\n" for value in values)

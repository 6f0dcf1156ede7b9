"""Tab separated files of MS MARCO without a header: documents, triples, candidates with texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Record, Row
from rerank_lab.corpora.readers.base import Entry, Match, QueryRow, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.readers.reranking_sets import QueryPassagesReader
from rerank_lab.corpora.source import Source

_ADDRESS = re.compile(r"(?:https?|ftp)://\S+", re.IGNORECASE)
_WORD = re.compile(r"\w{4,}")
_STEM = 5
_MOST_APART = 2.5
"""How many times as long as the other a passage of a triple may be, on average."""
_FIRST, _SECOND, _THIRD, _FOURTH = (f"column {number}" for number in range(1, 5))


class TriplesReader(QueryPassagesReader):
    """Query, relevant passage, other passage (triples.train.small.tsv)."""

    name = "ms-marco-triples"
    label = "MS MARCO triples"
    query = (_FIRST,)
    positives, negatives, key = (_SECOND,), (_THIRD,), (_SECOND,)
    cells = str

    def sniff(self, sample: Sample) -> Match | None:
        """Three texts a line, and one of these signs of triples.

        Queries repeat, the name says triples, or the words of the queries stand in the second
        texts rather than in the third ones.
        """
        records = sample.records
        if not _has_columns(records, 3) or not all(
            " " in str(value).strip() for record in records for value in record.values()
        ):
            return None
        queries = [record[_FIRST] for record in records]
        repeated = len(set(queries)) < len(queries)
        named = "triple" in sample.source.name.lower()
        if repeated or named or _second_answers(records):
            return Match(0.9, "every line has a query and two passages")
        return None


class MSMARCODocumentsReader(Reader):
    """Document id, address, title, body (msmarco-docs.tsv)."""

    name = "ms-marco-documents"
    label = "MS MARCO documents"
    mapping = ColumnMapping("text", "id", "title")

    def sniff(self, sample: Sample) -> Match | None:
        """Four columns without names, the second of them web addresses."""
        records = sample.records
        names = {f"column {number}" for number in range(1, 5)}
        if not records or not all(_is_row(record, names) for record in records):
            return None
        if all(_ADDRESS.fullmatch(record[_SECOND].strip()) for record in records):
            return Match(0.9, "every line has an id, an address, a title and a text")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row a line."""
        for line, record in table_rows(source, options, log):
            columns = (_FIRST, _SECOND, _THIRD, _FOURTH)
            names = ("id", "url", "title", "text")
            yield line, {n: record.get(c) for n, c in zip(names, columns, strict=True)}


class TopCandidatesReader(Reader):
    """Query id, passage id, query, passage (top1000.dev.tsv)."""

    name = "ms-marco-candidates"
    label = "MS MARCO candidates"
    mapping = ColumnMapping("text", "id")

    def sniff(self, sample: Sample) -> Match | None:
        """Two ids and two texts a line, each id with one text."""
        records = sample.records
        if not _has_columns(records, 4) or any(
            " " in record[name].strip() or "/" in record[name]
            for record in records
            for name in (_FIRST, _SECOND)
        ):
            return None
        queries = {record[_FIRST]: record[_THIRD] for record in records}
        passages = {record[_SECOND]: record[_FOURTH] for record in records}
        same = all(
            queries[record[_FIRST]] == record[_THIRD]
            and passages[record[_SECOND]] == record[_FOURTH]
            for record in records
        )
        repeats = len(queries) < len(records)
        named = sample.source.name.lower().startswith("top")
        if not same or not (repeats or named):
            return None
        return Match(0.9, "every line has two ids, a query and a passage")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """Every query and every passage once. The order of candidates is a run, and is not read."""
        queries, passages = set[str](), set[str]()
        for line, record in table_rows(source, options, log):
            query_id, doc_id = (str(record.get(name) or "") for name in (_FIRST, _SECOND))
            if query_id and query_id not in queries:
                queries.add(query_id)
                yield QueryRow(line, query_id, str(record.get(_THIRD) or ""))
            if doc_id not in passages:
                passages.add(doc_id)
                yield line, {"id": doc_id, "text": record.get(_FOURTH)}


def _second_answers(records: tuple[Record, ...]) -> bool:
    """Whether most second columns share more words with the first than the third ones do.

    Both are of like length then, and longer than the first: a title, a summary and a text are no
    triple.
    """
    lengths = [sum(len(record[name]) for record in records) for name in (_FIRST, _SECOND, _THIRD)]
    alike = max(lengths[1:]) <= _MOST_APART * min(lengths[1:]) and lengths[0] < min(lengths[1:])
    closer = sum(
        len(_stems(r[_FIRST]) & _stems(r[_SECOND])) > len(_stems(r[_FIRST]) & _stems(r[_THIRD]))
        for r in records
    )
    return alike and 2 * closer > len(records)


def _stems(text: str) -> set[str]:
    """The beginnings of the longer words of a text, so that forms of a word are one."""
    return {word[:_STEM] for word in _WORD.findall(text.casefold())}


def _has_columns(records: tuple[Record, ...], count: int) -> bool:
    """Whether there are several rows, each of so many unnamed columns."""
    names = {f"column {number}" for number in range(1, count + 1)}
    return len(records) > 1 and all(_is_row(record, names) for record in records)


def _is_row(record: Mapping[str, Any], names: set[str]) -> bool:
    return record.keys() == names and all(isinstance(value, str) for value in record.values())

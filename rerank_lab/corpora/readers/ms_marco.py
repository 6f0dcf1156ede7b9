"""Tab separated files of MS MARCO without a header: triples, and candidates with their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Record
from rerank_lab.corpora.readers.base import Entry, Match, QueryRow, Reader, ReadOptions, Sample
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.readers.reranking_sets import QueryPassagesReader
from rerank_lab.corpora.source import Source

_FIRST, _SECOND, _THIRD, _FOURTH = (f"column {number}" for number in range(1, 5))


class TriplesReader(QueryPassagesReader):
    """Query, relevant passage, other passage (triples.train.small.tsv)."""

    name = "ms-marco-triples"
    label = "MS MARCO triples"
    query = (_FIRST,)
    positives, negatives, key = (_SECOND,), (_THIRD,), (_SECOND,)
    cells = str

    def sniff(self, sample: Sample) -> Match | None:
        """Three texts a line, and queries that repeat or a name that says triples."""
        records = sample.records
        if not _has_columns(records, 3) or not all(
            " " in str(value).strip() for record in records for value in record.values()
        ):
            return None
        queries = [record[_FIRST] for record in records]
        repeated = len(set(queries)) < len(queries)
        named = "triple" in sample.source.name.lower()
        return Match(0.9, "every line has a query and two passages") if repeated or named else None


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


def _has_columns(records: tuple[Record, ...], count: int) -> bool:
    """Whether there are several rows, each of so many unnamed columns."""
    names = {f"column {number}" for number in range(1, count + 1)}
    return len(records) > 1 and all(_is_row(record, names) for record in records)


def _is_row(record: Mapping[str, Any], names: set[str]) -> bool:
    return record.keys() == names and all(isinstance(value, str) for value in record.values())

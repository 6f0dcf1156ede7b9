"""Runs inside files of candidates (rank_llm): a query a record, its passages in order.

{"query": {"text": "coffee filters", "qid": "1"}, "candidates": [{"docid": "d2", "score": 9.1}]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Record, id_text
from rerank_lab.corpora.readers.base import first_value
from rerank_lab.corpora.readers.judged.base import JudgedFile, JudgedReader, RankedPair, Rows
from rerank_lab.corpora.readers.judged.columns import (
    DOCUMENTS,
    QUERY_IDS,
    QUERY_TEXTS,
    SCORES,
    column_named,
)

_LISTS = ("candidates", "passages", "results", "hits")


class CandidateRun(JudgedReader[RankedPair]):
    """Candidates with ids, and with scores or in order."""

    name = "candidates"

    def recognises(self, file: JudgedFile) -> bool:
        """Every one of the first records has a query and a list of documents with ids."""
        return bool(file.records) and all(
            _query_key(record) is not None and any(map(_document_id, _candidates(record)))
            for record in file.records
        )

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[RankedPair]:
        """One place a candidate. Scores decide where every candidate of a query has one."""
        return Rows(_places(file, log), "queries with ranked candidates")


def _places(file: JudgedFile, log: ProblemLog) -> Iterator[RankedPair]:
    if file.table is None:
        return
    for line, record in file.table.read(file.source, file.options, log):
        query, candidates = _query_key(record), _candidates(record)
        if query is not None and not candidates:
            log.tally(file.name, "records without candidates")
            continue
        if query is None:
            log.error(
                "The record has no query; it was left out.",
                'Write {"query": {"qid": "1"}, "candidates": [{"docid": "d1", "score": 2.5}]}.',
                file=file.name,
                line=line,
            )
            continue
        for rank, candidate in enumerate(candidates, 1):
            document = _document_id(candidate)
            if document is None:
                log.error(
                    f"Candidate {rank} of query {query!r} has no id; it was left out.",
                    "Give every candidate a docid.",
                    file=file.name,
                    line=line,
                )
                continue
            yield RankedPair(line, query, document, rank, _score(candidate))


def _candidates(record: Record) -> list[Any]:
    """The documents of a record, in their order."""
    value = first_value(record, _LISTS)
    return value if isinstance(value, list) else []


def _query_key(record: Record) -> str | None:
    """The id of a record's query, else its text."""
    query = record.get("query")
    nested = query if isinstance(query, dict) else record
    names = ((*QUERY_IDS, "_id", "id"), ("text", *QUERY_TEXTS))
    columns = [column_named(nested, keys) for keys in names]
    return next((key for c in columns if c and (key := id_text(nested[c])) is not None), None)


def _document_id(candidate: Any) -> str | None:
    column = column_named(candidate, (*DOCUMENTS, "_id")) if isinstance(candidate, dict) else None
    return id_text(candidate[column]) if column else None


def _score(candidate: Any) -> float | None:
    value = candidate.get(column_named(candidate, SCORES) or "")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None

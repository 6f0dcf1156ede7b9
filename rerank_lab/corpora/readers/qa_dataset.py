"""Corpus, queries and relevance in one JSON object of dictionaries (LlamaIndex QA sets)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping
from rerank_lab.corpora.readers.base import (
    Entry,
    JudgmentRow,
    Match,
    QueryRow,
    Reader,
    ReadOptions,
    Sample,
)
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.source import Source

_START = re.compile(rb'\{\s*"(queries|corpus|relevant_docs|qrels)"\s*:\s*\{')


class QADatasetReader(Reader):
    """`{"corpus": {id: text}, "queries": {id: text}, "relevant_docs": {query id: [ids]}}`."""

    name = "qa-dataset"
    label = "question answering set"
    mapping = ColumnMapping("text", "id", "title", ())

    def sniff(self, sample: Sample) -> Match | None:
        """The object begins with one of its three dictionaries."""
        start = _START.match(sample.start)
        return Match(0.9, f"it begins with a dictionary of {start[1].decode()}") if start else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """Every passage, query and judgment. Raises InvalidInput without a corpus."""
        value = read_json(source, options, log)
        corpus = value.get("corpus") if isinstance(value, dict) else None
        if not isinstance(corpus, dict):
            raise InvalidInput(
                f"{source.name} holds no dictionary called corpus.",
                hint='Write {"corpus": {id: text}, "queries": {id: text}, "relevant_docs": {}}.',
            )
        for number, (doc_id, passage) in enumerate(corpus.items(), 1):
            whole = passage if isinstance(passage, dict) else {"text": passage}
            yield number, {"id": doc_id, "title": whole.get("title"), "text": whole.get("text")}
        for query_id, text in _dictionary(value, "queries", source.name, log).items():
            yield QueryRow(0, query_id, str(text))
        key = "relevant_docs" if "relevant_docs" in value else "qrels"
        for query_id, judged in _dictionary(value, key, source.name, log).items():
            yield from _judgments(query_id, judged, source.name, log)


def _dictionary(value: dict[str, Any], key: str, file: str, log: ProblemLog) -> dict[str, Any]:
    inner = value.get(key, {})
    if isinstance(inner, dict):
        return inner
    log.error(f"{key} is no dictionary; it was left out.", "Write it by query id.", file=file)
    return {}


def _judgments(query_id: str, judged: Any, file: str, log: ProblemLog) -> Iterator[JudgmentRow]:
    listed = judged if isinstance(judged, list) else [judged]
    graded = judged if isinstance(judged, dict) else dict.fromkeys(map(str, listed), 1)
    for doc_id, grade in graded.items():
        if isinstance(grade, int | float) and math.isfinite(grade) and grade == int(grade):
            yield JudgmentRow(0, query_id, doc_id, int(grade))
        else:
            log.error(
                f"The grade {grade!r} of {doc_id!r} for query {query_id!r} is no whole number; the "
                "judgment was left out.",
                "Use whole numbers.",
                file=file,
            )

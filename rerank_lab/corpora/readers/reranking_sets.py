"""Sets made to train or test rerankers: a query, its passages, and which of them are relevant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Record, id_text
from rerank_lab.corpora.readers.base import (
    Entry,
    JudgmentRow,
    Match,
    QueryRow,
    Reader,
    ReadOptions,
    Sample,
    first_value,
)
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_PYTHON_LIST = re.compile(r"""\[\s*['"]""")
_PASSAGE_ID = ("docid", "doc_id", "_id", "id", "pid", "passage_id")
_PASSAGE_TEXT = ("text", "contents", "content", "segment", "passage", "body", "page_content")
_QUERY_ID = ("query_id", "qid", "_id", "id")
_QUERY_TEXT = ("text", "query", "question")


class QueryPassagesReader(Reader):
    """A record a query, with passages in columns of their own; equal passages become one.

    Subclasses say which columns hold the query, the passages graded 1, those graded 0, and those
    without a grade. Passages and queries without an id are numbered: p1, p2, ... and q1, q2, ...
    """

    mapping = ColumnMapping("text", "id", "title", ())
    query: ClassVar[tuple[str, ...]]
    positives: ClassVar[tuple[str, ...]] = ()
    negatives: ClassVar[tuple[str, ...]] = ()
    ungraded: ClassVar[tuple[str, ...]] = ()
    cells: ClassVar[type] = list
    """What a column of passages holds: a list, or the text of one passage."""
    key: ClassVar[tuple[str, ...]]
    """The columns of which one must be there."""

    def sniff(self, sample: Sample) -> Match | None:
        """Every one of the first records has a query and a column of passages."""
        records = sample.records
        if not records:
            return None
        for record in records:
            passages = _list(first_value(record, self.key))
            if first_value(record, self.query) is None or not isinstance(passages, self.cells):
                return None
        used = next(name for name in self.key if name in records[0])
        return Match(0.9, f"every record has a query and {used}")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """New passages as documents, new queries, and a judgment for every graded passage."""
        ids: dict[tuple[str, str], str] = {}
        query_ids: dict[str, str] = {}
        for line, record in table_rows(source, options, log):
            query = first_value(record, self.query)
            text = query if isinstance(query, str) else _text(query, _QUERY_TEXT)
            graded = list(self._passages(record))
            if not text or not graded:
                lacking = "passage (a list in a cell is read as JSON, not as Python writes it)"
                log.error(
                    f"The record has no {lacking if text else 'query'}; it was left out.",
                    "Give every record a query and a list of passages.",
                    file=source.name,
                    line=line,
                )
                continue
            named = id_text(first_value(query if isinstance(query, dict) else record, _QUERY_ID))
            query_id = named or query_ids.setdefault(text, f"q{len(query_ids) + 1}")
            yield QueryRow(line, query_id, text)
            for passage, grade in graded:
                row = _passage(passage, ids)
                if row is None:
                    log.error(
                        "A passage has no text; it was left out.",
                        "Write passages as texts, or as objects with a text.",
                        file=source.name,
                        line=line,
                    )
                    continue
                document, new = row
                if new:
                    yield line, document
                if grade is not None:
                    yield JudgmentRow(line, query_id, document["id"], grade)

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        groups: Sequence[tuple[tuple[str, ...], int | None]] = (
            (self.positives, 1),
            (self.negatives, 0),
            (self.ungraded, None),
        )
        for columns, grade in groups:
            for value in (_list(record.get(column)) for column in columns):
                passages: Iterable[Any] = value if isinstance(value, list) else [value]
                yield from ((one, grade) for one in passages if one not in (None, ""))


class FlagEmbeddingReader(QueryPassagesReader):
    """FlagEmbedding training data: query, pos, neg."""

    name = "flagembedding"
    label = "FlagEmbedding triplets"
    query = ("query",)
    positives, negatives, key = ("pos",), ("neg",), ("pos",)


class TevatronReader(QueryPassagesReader):
    """Tevatron training data: query, positive_passages, negative_passages."""

    name = "tevatron"
    label = "Tevatron triplets"
    query = ("query",)
    positives, negatives = ("positive_passages",), ("negative_passages",)
    key = ("positive_passages",)


class MTEBRerankingReader(QueryPassagesReader):
    """MTEB reranking sets: query, positive, negative, the last two with lists."""

    name = "mteb-reranking"
    label = "MTEB reranking set"
    query = ("query",)
    positives, negatives, key = ("positive",), ("negative",), ("positive",)


class SentenceTripletsReader(QueryPassagesReader):
    """sentence-transformers triplets: anchor (or query), positive, negative, each one text."""

    name = "triplets"
    label = "sentence-transformers triplets"
    query = ("anchor", "query", "question")
    positives = ("positive",)
    negatives = ("negative", *(f"negative_{number}" for number in range(1, 33)))
    cells, key = str, ("positive",)


class CandidatesReader(QueryPassagesReader):
    """Candidates to be reranked (rank_llm, FlashRank): a query and a list of passages."""

    name = "candidates"
    label = "queries with candidates"
    query = ("query",)
    ungraded = ("candidates", "passages")
    key = ungraded


class EvaluationTableReader(QueryPassagesReader):
    """Tables that evaluate answers (RAGAS): a question, the contexts, and those it should have."""

    name = "rag-evaluation"
    label = "questions with contexts"
    query = ("user_input", "question", "query")
    positives = ("reference_contexts", "ground_truth_contexts")
    ungraded = ("retrieved_contexts", "contexts")
    key = (*positives, *ungraded)


def _passage(value: Any, ids: dict[tuple[str, str], str]) -> tuple[Record, bool] | None:
    """The document row of a passage and whether it is a new one; None without a text."""
    inner = value.get("doc") if isinstance(value, dict) else None
    body = inner if isinstance(inner, dict | str) else value
    if isinstance(body, str):
        text, title = body, ""
    else:
        text, title = _text(body, _PASSAGE_TEXT), _text(body, ("title",))
    if not text and not title:
        return None
    named = id_text(first_value(value, _PASSAGE_ID)) if isinstance(value, dict) else None
    key = ("id", named) if named else (title, text)
    new = key not in ids
    doc_id = ids.setdefault(key, named or f"p{len(ids) + 1}")
    return {"id": doc_id, "title": title, "text": text}, new


def _list(value: Any) -> Any:
    """The list that the cell of a CSV table holds as JSON; any other value as it is."""
    if not isinstance(value, str) or not value.startswith("[") or not value.endswith("]"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return [] if _PYTHON_LIST.match(value) else value


def _text(value: Any, names: Sequence[str]) -> str:
    text = first_value(value, names) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""

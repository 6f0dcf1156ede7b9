"""One JSON value that nests queries, judgments or a run.

{"q1": {"d2": 3}}                                     ranx, pytrec_eval, MTEB
{"q1": ["d2", "d5"]}                                  lists of relevant ids, or an order
{"relevant_docs": {"q1": ["d2"]}}                     LlamaIndex
{"judgmentRatings": [{"query": "coffee", "ratings": [{"docId": "d2", "rating": "1.0"}]}]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rerank_lab.core.problems import ProblemLog
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
    QUERY_IDS,
    QUERY_TEXTS,
    SCORES,
    column_key,
    column_named,
)

_MOST_LEVELS = 4
_SPLITS = ("test", "dev", "validation", "train")
_RATINGS = ("ratings", "judgments", "judgements", "rated_documents")
_ANSWERS = ("hits", "results", "documents", "docs", "candidates", "passages", "took")
"""Keys of what a search or a reranker answers to one query."""
_QRELS = ("qrels", "relevant_docs", "judgments", "judgements", "relevance")


class NestedJudgments(JudgedReader[JudgedPair]):
    """Judgments in one JSON value."""

    name = "nested-json"

    def recognises(self, file: JudgedFile) -> bool:
        """A dictionary of dictionaries or lists by query, or a list of queries with ratings."""
        if _by_query(file.value) is not None or _rated(file.value) is not None:
            return True
        return bool(file.records) and all(_rated([record]) for record in file.records)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[JudgedPair]:
        """One judgment a leaf; lines count the queries."""
        if file.value is None and file.table is not None:  # one query a line
            records = [record for _, record in file.table.read(file.source, file.options, log)]
            label = "judgment lists by query (JSON lines)"
            return Rows(_ratings(_rated(records) or [], file.name, log), label)
        if (rated := _rated(file.value)) is not None:
            return Rows(_ratings(rated, file.name, log), "judgment lists by query (JSON)")
        by_query = _by_query(file.value) or {}
        lists = any(isinstance(documents, list) for documents in by_query.values())
        label = "lists of relevant ids (JSON)" if lists else "JSON dictionary of judgments"
        _tell_splits(file, log)
        return Rows(_pairs(by_query), label)


class NestedRun(JudgedReader[RankedPair]):
    """A run in one JSON value: scores by query and document, or ids in order by query."""

    name = "nested-json"

    def recognises(self, file: JudgedFile) -> bool:
        """A dictionary of dictionaries or lists by query."""
        return _by_query(file.value) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[RankedPair]:
        """One document a leaf; lines count the queries."""
        return Rows(
            _places(_by_query(file.value) or {}, file.name, log), "JSON dictionary of a run"
        )


class NestedQueries(JudgedReader[FoundQuery]):
    """Texts by query id in one JSON dictionary, alone or under `queries`."""

    name = "nested-json"

    def recognises(self, file: JudgedFile) -> bool:
        """A dictionary of texts, under `queries` where it is not alone."""
        return _texts(file.value) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query an entry."""
        texts = _texts(file.value) or {}
        rows = (FoundQuery(n, str(q), text) for n, (q, text) in enumerate(texts.items(), 1))
        return Rows(rows, "JSON dictionary of queries")


def _by_query(value: Any, levels: int = 0) -> dict[str, Any] | None:
    """Documents by query, from the dictionary itself, under a telling key, or in its only split."""
    if not isinstance(value, dict) or not value or levels > _MOST_LEVELS:
        return None
    for key, inner in value.items():
        if column_key(str(key)) in _QRELS and (matches := _by_query(inner, levels + 1)):
            return matches
    if {column_key(str(key)) for key in value} & {*QUERY_TEXTS, *_ANSWERS}:
        return None  # one query with its documents, or the answer to it: not queries by id
    by_query: dict[str, Any] = {k: v for k, v in value.items() if k != "mteb_model_meta"}
    if all(_is_graded(documents) for documents in by_query.values()):
        return by_query
    if all(isinstance(inner, dict) for inner in by_query.values()):
        splits = {k: _by_query(inner, levels + 1) for k, inner in by_query.items()}
        split = next((name for name in _SPLITS if splits.get(name)), next(iter(splits)))
        if all(splits.values()) and (len(splits) == 1 or split in _SPLITS):
            return splits[split]
    return None


def _tell_splits(file: JudgedFile, log: ProblemLog) -> None:
    """Say which of several splits is read."""
    value = file.value
    splits = [name for name in _SPLITS if isinstance(value, dict) and name in value]
    if len(splits) > 1 and isinstance(value[splits[0]], dict):
        log.warning(
            f"The split {splits[0]!r} is read; {', '.join(map(repr, splits[1:]))} left out.",
            "Give a file with the split that is meant alone.",
            file=file.name,
        )


def _is_graded(documents: Any) -> bool:
    if isinstance(documents, dict):
        return all(not isinstance(grade, dict | list) for grade in documents.values())
    return isinstance(documents, list) and all(
        isinstance(d, str | int) or _scored_pair(d) or (isinstance(d, dict) and _document_of(d))
        for d in documents
    )


def _scored_pair(item: Any) -> bool:
    """Whether an item is `["d1", 2.5]`: a document with its grade or score."""
    pair = isinstance(item, list) and len(item) == 2
    return pair and isinstance(item[0], str) and isinstance(item[1], int | float)


def _document_of(item: Mapping[str, Any]) -> str | None:
    """The id of an object such as {"docid": "d1", "grade": 2}; None where it has none."""
    column = column_named(item, (*DOCUMENTS, "_id"))
    return _plain(item[column]) if column else None


def _rated(value: Any, levels: int = 0) -> list[tuple[dict[str, Any], str, str]] | None:
    """(item, key of its query, key of its ratings) for a list of queries with ratings."""
    if levels > _MOST_LEVELS:
        return None
    if isinstance(value, dict):
        value = value.get("_source", value)
        hits = value.get("hits") if isinstance(value, dict) else None
        inner = hits.get("hits") if isinstance(hits, dict) else None
        lists = [v for v in (inner, *value.values()) if isinstance(v, list)] if value else []
        every = (_rated(one, levels + 1) for one in lists)
        return next((matches for matches in every if matches), None)
    if not isinstance(value, list):
        return None
    matches: list[tuple[dict[str, Any], str, str]] = []
    for item in value:
        if isinstance(item, dict) and isinstance(item.get("_source"), dict):
            matches += (
                _rated([item["_source"]], levels + 1) or _rated(item["_source"], levels + 1) or []
            )
            continue
        if not isinstance(item, dict):
            continue
        ratings = column_named(item, _RATINGS)
        query = column_named(item, (*QUERY_IDS, "id", *QUERY_TEXTS))
        if ratings and query and isinstance(item[ratings], list | dict):
            matches.append((item, query, ratings))
    return matches or None


def _ratings(
    rated: list[tuple[dict[str, Any], str, str]], file: str, log: ProblemLog
) -> Iterator[JudgedPair]:
    for number, (item, query, ratings) in enumerate(rated, 1):
        key, text = str(item[query]), column_named(item, QUERY_TEXTS)
        words = str(item[text]) if text else ""
        if isinstance(item[ratings], dict):
            for document, grade in item[ratings].items():
                yield JudgedPair(number, key, str(document), grade, words)
            continue
        if not item[ratings]:
            yield JudgedPair(number, key, None, None, words)
        for rating in item[ratings]:
            columns = list(rating) if isinstance(rating, dict) else []
            document = column_named(columns, (*DOCUMENTS, "_id"))
            grade = column_named(columns, (*GRADES, *SCORES))
            if document is None or grade is None:
                log.error(
                    "A rating has no document or no grade; it was left out.",
                    'Write ratings as {"docId": "d1", "rating": 2}.',
                    file=file,
                    line=number,
                )
                continue
            yield JudgedPair(number, key, _plain(rating[document]), rating[grade], words)


def _pairs(by_query: Mapping[str, Any]) -> Iterator[JudgedPair]:
    for number, (query, documents) in enumerate(by_query.items(), 1):
        if not documents:
            yield JudgedPair(number, str(query), None, None)
        items = documents.items() if isinstance(documents, dict) else map(_graded_item, documents)
        for document, grade in items:
            yield JudgedPair(number, str(query), _plain(document), grade)


def _graded_item(item: Any) -> tuple[Any, Any]:
    """(document, grade) of an item of a list: 1 for an id alone."""
    if isinstance(item, list):
        return item[0], item[1]
    if not isinstance(item, dict):
        return item, 1
    grade = column_named(item, (*GRADES, *SCORES))
    return _document_of(item), item[grade] if grade else 1


def _places(by_query: Mapping[str, Any], file: str, log: ProblemLog) -> Iterator[RankedPair]:
    for number, (query, documents) in enumerate(by_query.items(), 1):
        if isinstance(documents, list):
            for rank, item in enumerate(documents, 1):
                document, score = _scored_item(item)
                usable = isinstance(score, int | float) and math.isfinite(score)
                value = float(score or 0) if usable else None
                yield RankedPair(number, str(query), _plain(document), rank, value)
            continue
        for document, score in documents.items():
            if isinstance(score, bool) or not isinstance(score, int | float):
                log.error(
                    f"The score {score!r} of document {document!r} is not a number.",
                    'Write runs as {"query": {"document": 1.5}}.',
                    file=file,
                    line=number,
                )
                continue
            yield RankedPair(number, str(query), str(document), None, float(score))


def _scored_item(item: Any) -> tuple[Any, Any]:
    """(document, score) of an item of a list; the score is None where it has none."""
    if isinstance(item, list):
        return item[0], item[1]
    if isinstance(item, dict):
        return _document_of(item), item.get(column_named(item, SCORES) or "")
    return item, None


def _texts(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    inner = value.get("queries")
    texts = inner if isinstance(inner, dict) else value
    if not texts or not all(isinstance(text, str) for text in texts.values()):
        return None
    known = {column_key(str(key)) for key in texts}
    return None if known & {"text", *QUERY_TEXTS, *QUERY_IDS} else texts


def _plain(document: Any) -> str:
    if isinstance(document, float) and document.is_integer():
        return str(int(document))
    return str(document)

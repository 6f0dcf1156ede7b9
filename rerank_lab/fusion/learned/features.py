"""Named features of a candidate: what sources made of it, its place before, its words, its columns.

A value that is not there (a document that a source did not score, a column without a number) is
NaN, which both learners treat as missing; it is never 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.types import Document, Ranking
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.fusion.base import Candidates

Matrix = NDArray[np.float64]
BEFORE = "before"
"""What the features of the stage before are called."""
MAX_COLUMNS = 50
_WORDS = ("title overlap", "text overlap", "query words", "title words", "text words")
_DIRECTIONS = {"score": 1, "share": 1, "rank": -1, "overlap": 1}


@dataclass(frozen=True, slots=True)
class Features:
    """Which features there are: `sources` are canonical specs, `columns` keys of documents' meta.

    By source, and of the stage before: `score` as it is (any finite number), `rank` (1 is the
    best), `share` (the score between the lowest, 0, and the highest, 1, of this query). Of the
    words: the share of the query's words, stemmed in `language`, that title and text hold (0 to
    1), and counts of words. Of each column: its number.
    """

    sources: tuple[str, ...]
    columns: tuple[str, ...] = ()
    language: str = "english"

    @property
    def names(self) -> tuple[str, ...]:
        """One for each column of the matrix, in its order."""
        scored = [f"{one} {what}" for one in (BEFORE, *self.sources)
                  for what in ("score", "rank", "share")]  # fmt: skip
        return (*scored, *_WORDS, *(f"column {name}" for name in self.columns))

    def matrix(self, candidates: Candidates) -> Matrix:
        """Shape (documents, features): the documents in the order of the stage before."""
        docs = candidates.docs
        matrix = np.full((len(docs), len(self.names)), np.nan)
        place = {doc.id: row for row, doc in enumerate(docs)}
        rankings = (candidates.before, *candidates.rankings)
        for start, ranking in zip(range(0, 3 * len(rankings), 3), rankings, strict=True):
            _fill(matrix[:, start : start + 3], ranking, place)
        start = 3 * len(rankings)
        analyzer = _analyzer(self.language)
        query_terms = set(analyzer.query_terms(candidates.query.text))
        for row, doc in enumerate(docs):
            words = _words(analyzer, query_terms, doc)
            matrix[row, start:] = [*words, *(number(doc.meta.get(name)) for name in self.columns)]
        return matrix


def direction(name: str) -> int:
    """1 when more is better by the feature's meaning, -1 when less is, 0 when nobody can say."""
    return _DIRECTIONS.get(name.rsplit(" ", 1)[-1], 0) if not name.startswith("column ") else 0


def number(value: Any) -> float:
    """A number out of a document's meta, written as text or not; NaN for anything else."""
    if isinstance(value, str) and len(value) > 40:
        return math.nan
    if not isinstance(value, int | float | str):
        return math.nan
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return parsed if math.isfinite(parsed) else math.nan


def numeric_columns(docs: Iterable[Document]) -> tuple[str, ...]:
    """Keys of meta that hold at least two different numbers, by name; the first 50 of them."""
    first: dict[str, float] = {}
    varied: set[str] = set()
    for doc in docs:
        for name, value in doc.meta.items():
            if name in varied or math.isnan(parsed := number(value)):
                continue
            if first.setdefault(name, parsed) != parsed:
                varied.add(name)
    return tuple(sorted(varied)[:MAX_COLUMNS])


@lru_cache(maxsize=4)
def _analyzer(language: str) -> Analyzer:
    """One for every query: it remembers the words that it has worked out."""
    return Analyzer(language)


def _fill(into: Matrix, ranking: Ranking, place: dict[str, int]) -> None:
    scores = [hit.score for hit in ranking.hits if hit.score is not None]
    low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
    for hit in ranking.hits:
        row = place[hit.doc_id]
        into[row, 1] = hit.rank
        if hit.score is not None:
            into[row, 0] = hit.score
            into[row, 2] = (hit.score - low) / (high - low) if high > low else 1.0


def _words(analyzer: Analyzer, query_terms: Collection[str], doc: Document) -> Sequence[float]:
    title, text = (list(analyzer.document_terms(part)) for part in (doc.title, doc.text))
    return (
        _held(query_terms, title) if doc.title else math.nan,
        _held(query_terms, text),
        float(len(query_terms)),
        float(len(title)),
        float(len(text)),
    )


def _held(query_terms: Collection[str], terms: Sequence[str]) -> float:
    return len(set(query_terms) & set(terms)) / len(query_terms) if query_terms else math.nan

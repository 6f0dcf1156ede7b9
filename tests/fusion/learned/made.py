"""Small made-up ranking data, and a corpus whose queries one signal alone cannot answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus

Rows = tuple[NDArray[np.float64], list[int], list[int]]


def rows(queries: int = 30, documents: int = 12, seed: int = 0, missing: float = 0.1) -> Rows:
    """Features, grades and sizes: the grade follows the product of two of five features."""
    generator = np.random.default_rng(seed)
    matrix = generator.random((queries * documents, 5))
    grades = np.floor(4 * matrix[:, 0] * matrix[:, 1]).astype(int).tolist()
    matrix[generator.random(matrix.shape) < missing] = np.nan
    return matrix, grades, [documents] * queries


def corpus(queries: int = 24) -> Corpus:
    """Every query word is in eight texts. Relevant are those of them of a recent year.

    BM25 prefers the shorter texts, which say nothing of the year.
    """
    generator = np.random.default_rng(1)
    documents, asked, qrels = [], [], {}
    for number in range(queries):
        years = generator.integers(2000, 2024, 8)
        grades = {}
        for place, year in enumerate(years):
            doc_id = f"d{number}-{place}"
            text = f"topic{number} " + "filler " * int(generator.integers(1, 9))
            meta = {"year": str(year), "author": f"name{place}", "same": 7}
            documents.append(Document(doc_id, text, f"Title {place}", meta))
            grades[doc_id] = int(year >= 2015)
        if not any(grades.values()):
            grades[f"d{number}-0"] = 1
        asked.append(Query(f"q{number}", f"topic{number}"))
        qrels[f"q{number}"] = grades
    return Corpus("made", tuple(documents), tuple(asked), qrels)

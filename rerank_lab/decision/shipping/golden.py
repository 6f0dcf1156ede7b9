"""Golden cases: queries with the order that their documents must keep, as a pytest file.

A document may take the places of those whose scores are so near its own that rounding could
exchange them, and as many places more as is allowed. Everything else that moves fails the test: a
model, a provider or a library has changed what the pipeline answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.shipping.shipment import Shipment, ShippedFile, file_stem
from rerank_lab.evaluation.experiments import Evaluation

GOLDEN_TITLE = "Golden cases"
_SENTENCE = (
    "Queries with the order that their first documents must keep, for pytest: it fails when a "
    "model, a provider or a library moves the ranking."
)
_MOST_CHARS = 2_000_000


@dataclass(frozen=True, slots=True)
class GoldenTerms:
    """How many cases, and how strict.

    Attributes:
        queries: At most so many, evenly spaced over those that were answered.
        depth: So many first documents of each must keep their places.
        near: Scores are near when they differ by at most this share of the range of the scores of
            those documents.
        places: By so many places a document may move beside that.
    """

    queries: int = 20
    depth: int = 10
    near: float = 0.001
    places: int = 0


DEFAULT_GOLDEN = GoldenTerms()
"""Twenty queries, ten documents each."""


def golden_cases(
    evaluation: Evaluation,
    pipeline: str,
    name: str,
    corpus: Corpus | None = None,
    terms: GoldenTerms = DEFAULT_GOLDEN,
) -> Shipment:
    """The golden cases of a pipeline from the rankings that an evaluation keeps.

    Args:
        evaluation: Where the rankings are from.
        pipeline: The canonical spec.
        name: How the pipeline is called.
        corpus: The documents of the evaluation, kept in the file where they are small enough.
        terms: How many, and how strict.
    """
    answered = [
        (query, cell.ranking)
        for query in evaluation.design.queries
        if (cell := evaluation.cells.get((query.id, pipeline))) is not None
        and cell.answered
        and cell.ranking is not None
        and cell.ranking.hits
    ]
    if not answered:
        absence = "The pipeline has answered no query of this evaluation."
        return Shipment("golden", GOLDEN_TITLE, _SENTENCE, absence=absence)
    data = {
        "pipeline": pipeline,
        "experiment": evaluation.id,
        "corpus": _corpus(evaluation, corpus),
        "cases": [
            golden_case(query, ranking, terms)
            for query, ranking in _spaced(answered, terms.queries)
        ],
    }
    stem = file_stem(name)
    cases = json.dumps(data, ensure_ascii=False, indent=1)
    test = _TEST.replace("__DATA__", f"{stem}_golden_cases.json")
    files = (
        ShippedFile.text(f"test_{stem}_golden_cases.py", test),
        ShippedFile.text(f"{stem}_golden_cases.json", cases + "\n"),
    )
    return Shipment("golden", GOLDEN_TITLE, _SENTENCE, files)


def golden_case(query: Query, ranking: Ranking, terms: GoldenTerms) -> dict[str, Any]:
    """One query with its first documents and the places, from 1, that each may take."""
    top = ranking.hits[: terms.depth]
    scores = [hit.score for hit in ranking.hits]
    known = [hit.score for hit in top if hit.score is not None]
    near = terms.near * (max(known) - min(known)) if known else 0.0
    documents = []
    for hit in top:
        first = last = hit.rank
        if hit.score is not None:
            alike = [
                place
                for place, score in enumerate(scores, 1)
                if score is not None and abs(score - hit.score) <= near
            ]
            first, last = min(alike), max(alike)
        documents.append(
            {
                "id": hit.doc_id,
                "score": hit.score,
                "first": max(1, first - terms.places),
                "last": last + terms.places,
            }
        )
    return {
        "query_id": query.id,
        "query": query.text,
        "excluded": sorted(query.excluded),
        "documents": documents,
    }


def _spaced(
    answered: Sequence[tuple[Query, Ranking]], count: int
) -> Sequence[tuple[Query, Ranking]]:
    """At most `count` of them, evenly spaced."""
    if len(answered) <= count:
        return answered
    return [answered[place * len(answered) // count] for place in range(count)]


def _corpus(evaluation: Evaluation, corpus: Corpus | None) -> dict[str, Any]:
    """The name and hash of the corpus, and its documents where they are small enough."""
    design = evaluation.design
    written: dict[str, Any] = {
        "name": design.corpus,
        "content_hash": design.corpus_hash,
        "documents": None,
    }
    if corpus is None or corpus.content_hash != design.corpus_hash:
        return written
    if sum(len(document.content) for document in corpus.documents) > _MOST_CHARS:
        return written
    documents = [
        {"id": one.id, "text": one.text}
        | ({"title": one.title} if one.title else {})
        | ({"parent": one.parent} if one.parent else {})
        for one in corpus.documents
    ]
    return written | {"documents": documents}


_TEST = '''"""Golden cases: fails when a model, a provider or a library moves a ranking.

    pytest THIS_FILE

Where the data file holds no documents, the corpus is looked for by its name, or where the variable
GOLDEN_CORPUS says. Nothing is taken from the score cache: every model is asked.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rerank_lab import Context, Corpus, Document, Pipeline, Query, load_corpus

GOLDEN = json.loads((Path(__file__).parent / "__DATA__").read_text("utf-8"))


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    kept = GOLDEN["corpus"]
    if kept["documents"] is None:
        return load_corpus(os.environ.get("GOLDEN_CORPUS", kept["name"]))
    return Corpus(kept["name"], tuple(Document(**one) for one in kept["documents"]))


def test_the_documents_are_the_same(corpus: Corpus) -> None:
    assert corpus.content_hash == GOLDEN["corpus"]["content_hash"]


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["query_id"])
def test_the_order_is_kept(case: dict, corpus: Corpus) -> None:
    query = Query(case["query_id"], case["query"], excluded=frozenset(case["excluded"]))
    result = Pipeline(GOLDEN["pipeline"]).run(query, corpus, Context(cache=None))
    assert result.ranking is not None, str(result.error)
    places = {hit.doc_id: hit.rank for hit in result.ranking.hits}
    moved = [
        f"{one['id']} is at {places.get(one['id'], 'no place')}, "
        f"not from {one['first']} to {one['last']}"
        for one in case["documents"]
        if not one["first"] <= places.get(one["id"], 0) <= one["last"]
    ]
    assert not moved, f"{case['query']!r}: " + "; ".join(moved)
'''

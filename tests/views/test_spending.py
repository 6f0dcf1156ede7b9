"""What is said of money: spent, left, and what a query set would take."""

from __future__ import annotations

from pathlib import Path

from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.views.spending import ahead, spent_words

DOCS = tuple(Document(str(i), f"text {i}") for i in range(40))
QUERIES = [Query("q1", "short"), Query("q2", "a longer question"), Query("q3", "third")]


def test_what_was_spent_and_what_is_left() -> None:
    meter = SpendMeter()
    meter.settle(meter.reserve(CostEstimate(1, 1, "tokens", 0.2), "a call"), 0.25)
    assert spent_words(meter) == "$0.25 spent so far, by the dated prices."
    meter.limit = 1.0
    assert spent_words(meter) == (
        "$0.25 spent so far, by the dated prices; $0.75 of the limit left."
    )
    meter.limit = 0.1
    assert "$0.00 of the limit left" in spent_words(meter)


def test_a_query_set_is_estimated_for_pipelines_that_ask_providers_only(tmp_path: Path) -> None:
    corpus = Corpus("made", DOCS, tuple(QUERIES))
    specs = ["bm25", "bm25 >> cohere(top=7)", "bm25 >> tei(top=7)", "bm25 >> voyage(top=7)"]
    found = ahead(specs, QUERIES, corpus, 20, Engine(tmp_path))
    assert list(found) == specs[1:]
    priced = "3 requests, about 3 search units, about $0.006 at prices of 2026-06-01"
    assert found[specs[1]] == priced
    assert found[specs[3]].startswith("3 requests, about ")
    assert "at prices of 2026-07-27" in found[specs[3]]
    assert ahead(specs, [], corpus, 20, Engine(tmp_path)) == {}

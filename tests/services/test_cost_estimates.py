"""What pipelines would take of providers, estimated before anything is sent."""

from __future__ import annotations

from pathlib import Path

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.cost_estimates import (
    calls_out,
    query_estimates,
    query_set_estimates,
    stage_estimates,
)
from rerank_lab.views.hosted import estimates_words

DOCS = tuple(Document(str(i), f"text {i}") for i in range(250))
QUERY = Query.of("x")


def test_the_estimate_of_a_pipeline_counts_its_hosted_stages_only(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    pipeline = Pipeline("bm25 >> identity(top=200) >> voyage(top=50) >> cohere(top=120)")
    stage_estimates(Pipeline("bm25 >> cohere(top=7)").spec.stages, QUERY, DOCS, engine)
    voyage, cohere = stage_estimates(pipeline.spec.stages, QUERY, DOCS, engine)
    assert (voyage.calls, voyage.unit) == (1, "tokens")
    assert (cohere.units, cohere.unit) == (2, "search units")
    assert stage_estimates(Pipeline("bm25").spec.stages, QUERY, DOCS, engine) == ()


def test_which_pipelines_call_out_and_what_they_would_take(tmp_path: Path) -> None:
    engine, corpus = Engine(tmp_path), Corpus("small", DOCS[:30], ())
    plain, rented = Pipeline("bm25 >> identity"), Pipeline("bm25 >> identity >> cohere(top=7)")
    assert not calls_out(plain.spec)
    assert calls_out(rented.spec)
    words = estimates_words(query_estimates(rented.spec, QUERY, corpus, 100, engine))
    assert words == "1 request, about 1 search unit, about $0.002 at prices of 2026-06-01"
    listwise = Pipeline("bm25 >> listwise(top=20)")
    assert "request" in estimates_words(query_estimates(listwise.spec, QUERY, corpus, 100, engine))
    assert query_estimates(plain.spec, QUERY, corpus, 100, engine) == ()


def test_a_query_set_is_estimated_for_pipelines_that_ask_providers_only(tmp_path: Path) -> None:
    queries = [Query("1", "short"), Query("2", "a longer query"), Query("3", "x")]
    corpus = Corpus("small", DOCS[:30], tuple(queries))
    specs = ["bm25", "bm25 >> cohere(top=7)", "bm25 >> tei(top=7)", "bm25 >> voyage(top=7)"]
    estimates = query_set_estimates(specs, queries, corpus, 20, Engine(tmp_path))
    assert list(estimates) == specs[1:]
    (cohere,), (voyage,) = estimates[specs[1]], estimates[specs[3]]
    assert (cohere.calls, cohere.units, cohere.as_of) == (3, 3, "2026-06-01")
    assert voyage.amount is not None
    assert voyage.as_of == "2026-07-27"
    assert query_set_estimates(specs, [], corpus, 20, Engine(tmp_path)) == {}

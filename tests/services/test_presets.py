"""What the app offers works on the samples, and the samples are judged for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.presets import (
    DEFAULT_CORPUS,
    DEFAULT_DEPTH,
    DEFAULT_PIPELINES,
    MAX_PIPELINES,
    PRESETS,
    SAMPLE_QUERIES,
)

SAMPLES = sorted(SAMPLE_QUERIES)
FIRST_STAGES = [preset.spec for preset in PRESETS if ">>" not in preset.spec]
RERANKED = [preset.spec for preset in PRESETS if ">>" in preset.spec]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("home"))


def test_presets_are_valid_and_differ() -> None:
    specs = [str(Pipeline(preset.spec)) for preset in PRESETS]
    assert len(set(specs)) == len(specs)
    assert set(DEFAULT_PIPELINES) <= set(specs)
    assert len(DEFAULT_PIPELINES) <= MAX_PIPELINES
    assert DEFAULT_CORPUS in SAMPLES


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_queries_exist(name: str) -> None:
    assert set(SAMPLE_QUERIES[name]) <= {query.id for query in load_corpus(name).queries}


@pytest.mark.models
@pytest.mark.parametrize("name", SAMPLES)
def test_the_pools_of_the_first_stages_are_judged(name: str, engine: Engine) -> None:
    """Every query; benchmarks/sample_pools.py does the same for every reranker, in minutes."""
    corpus = load_corpus(name)
    assert unjudged(name, FIRST_STAGES, [query.id for query in corpus.queries], engine) == []


@pytest.mark.models
@pytest.mark.parametrize("name", SAMPLES)
def test_the_pools_of_the_rerankers_are_judged_for_the_sample_queries(
    name: str, engine: Engine
) -> None:
    assert unjudged(name, RERANKED, SAMPLE_QUERIES[name][:1], engine) == []


@pytest.mark.models
def test_a_reranker_lifts_the_answer_on_the_queries_shown_first(engine: Engine) -> None:
    corpus = load_corpus(DEFAULT_CORPUS)
    plain, reranked = (Pipeline(spec).at_depth(DEFAULT_DEPTH) for spec in DEFAULT_PIPELINES[:2])
    for query in corpus.queries:
        if query.id in SAMPLE_QUERIES[DEFAULT_CORPUS][:3]:
            best = max(corpus.qrels[query.id], key=corpus.qrels[query.id].__getitem__)
            ranks = [
                (result.ranking.ranks if result.ranking else {}).get(best, DEFAULT_DEPTH + 1)
                for result in (p.run(query, corpus, engine=engine) for p in (plain, reranked))
            ]
            assert ranks[1] < ranks[0], query.text


def unjudged(name: str, specs: list[str], queries: Iterable[str], engine: Engine) -> list[str]:
    corpus = load_corpus(name)
    wanted = set(queries)
    missing = []
    for spec in specs:
        pipeline = Pipeline(spec).at_depth(DEFAULT_DEPTH)
        for query in (query for query in corpus.queries if query.id in wanted):
            result = pipeline.run(query, corpus, engine=engine)
            assert result.ranking is not None, result.error
            judged = corpus.qrels.get(query.id, {})
            found = [hit.doc_id for hit in result.ranking.top(10) if hit.doc_id not in judged]
            missing += [f"{spec}: {query.id} {doc_id}" for doc_id in found]
    return missing


def test_the_samples_lie_where_the_docs_say() -> None:
    root = Path(__file__).parents[2] / "sample_corpora"
    assert sorted(folder.name for folder in root.iterdir() if folder.is_dir()) == SAMPLES

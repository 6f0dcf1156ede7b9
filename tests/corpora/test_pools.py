"""The samples are judged for the pools of every preset, and the kept pools are the present ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks._pools import TOP, made_from, pool_file, read_pool, unjudged_pairs, write_pool
from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.services.presets import SAMPLE_QUERIES

SAMPLES = sorted(SAMPLE_QUERIES)
AGAIN = "Run python benchmarks/sample_pools.py, judge what it finds unjudged, and keep its pools."


@pytest.mark.parametrize("name", SAMPLES)
def test_pools_were_made_from_the_present_texts_queries_and_presets(name: str) -> None:
    made, _ = read_pool(name)
    assert made == json.loads(json.dumps(made_from(load_corpus(name)))), AGAIN


@pytest.mark.parametrize("name", SAMPLES)
def test_every_pooled_pair_is_judged(name: str) -> None:
    corpus = load_corpus(name)
    _, pool = read_pool(name)
    assert set(pool) == {query.id for query in corpus.queries}
    assert min(map(len, pool.values())) >= TOP
    assert {doc_id for docs in pool.values() for doc_id in docs} <= corpus.document_ids
    assert unjudged_pairs(corpus, pool) == {}, AGAIN


@pytest.mark.parametrize("name", SAMPLES)
def test_a_pooled_pair_without_judgment_is_told(name: str) -> None:
    corpus = load_corpus(name)
    _, pool = read_pool(name)
    query_id = corpus.queries[0].id
    doc_id = next(iter(pool[query_id]))
    rest = {doc: grade for doc, grade in corpus.qrels[query_id].items() if doc != doc_id}
    lacking = dataclasses.replace(corpus, qrels={**corpus.qrels, query_id: rest})
    assert unjudged_pairs(lacking, pool) == {query_id: [doc_id]}


def test_another_query_document_or_preset_makes_another_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = load_corpus("helpdesk")
    present = made_from(corpus)
    reworded = (Query(corpus.queries[0].id, "something else"), *corpus.queries[1:])
    assert made_from(dataclasses.replace(corpus, queries=reworded)) != present
    assert made_from(dataclasses.replace(corpus, documents=corpus.documents[1:])) != present
    monkeypatch.setattr("benchmarks._pools.PRESETS", ())
    assert made_from(corpus) != present


def test_a_kept_pool_reads_as_it_was_written(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    home.mkdir()
    monkeypatch.setattr("benchmarks._pools.pool_file", lambda name: home / f"{name}.json")
    corpus = load_corpus("helpdesk")
    pool = {query.id: {"hd-002": 1, "hd-001": 3} for query in corpus.queries}
    write_pool("helpdesk", corpus, pool)
    made, read = read_pool("helpdesk")
    assert (made, read) == (made_from(corpus), pool)


def test_pools_lie_beside_the_benchmark_that_makes_them() -> None:
    assert sorted(pool_file("x").parent.glob("*.json")) == [pool_file(name) for name in SAMPLES]

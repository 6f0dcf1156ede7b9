"""The indexes on disk: listed, damaged ones too, and deleted one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import parse
from rerank_lab.corpora import Corpus, corpus_from_texts
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.base import MANIFEST
from rerank_lab.services.stored_indexes import delete_index, delete_indexes, stored_indexes


def built(home: Path, *specs: str) -> tuple[Path, Corpus]:
    corpus = corpus_from_texts("cats sleep\ndogs bark\nfish swim")
    engine = Engine(home)
    for spec in specs:
        engine.built(parse(spec).source, corpus, Context())
    return home / "indexes", corpus


def test_every_built_index_is_listed_with_its_options(home: Path) -> None:
    indexes, corpus = built(home, "bm25", "bm25(k1=1.7)")
    found = stored_indexes(indexes, corpus.content_hash)
    assert [index.retriever for index in found] == ["bm25", "bm25"]
    assert {index.options["k1"] for index in found} >= {1.7}
    assert all(index.complete and index.size > 0 and index.documents == 3 for index in found)


def test_another_corpus_has_no_indexes(home: Path) -> None:
    indexes, _ = built(home, "bm25")
    assert stored_indexes(indexes, corpus_from_texts("else").content_hash) == ()
    assert stored_indexes(indexes, "") == ()


def test_an_index_without_manifest_is_shown_as_unfinished(home: Path) -> None:
    indexes, corpus = built(home, "bm25")
    (index,) = stored_indexes(indexes, corpus.content_hash)
    (index.folder / MANIFEST).write_text("{not json")
    (damaged,) = stored_indexes(indexes, corpus.content_hash)
    assert not damaged.complete
    assert damaged.retriever == "bm25"


def test_deleting_one_index_leaves_the_other(home: Path) -> None:
    indexes, corpus = built(home, "bm25", "bm25(k1=1.7)")
    first, second = stored_indexes(indexes, corpus.content_hash)
    delete_index(indexes, corpus.content_hash, first.name)
    assert stored_indexes(indexes, corpus.content_hash) == (second,)
    with pytest.raises(InvalidInput, match="no index"):
        delete_index(indexes, corpus.content_hash, first.name)
    delete_indexes(indexes, corpus.content_hash)
    assert stored_indexes(indexes, corpus.content_hash) == ()


def test_a_name_from_outside_never_leaves_the_folder(home: Path) -> None:
    indexes, corpus = built(home, "bm25")
    keep = indexes / "keep"
    keep.mkdir()
    with pytest.raises(InvalidInput):
        delete_index(indexes, corpus.content_hash, "../keep")
    assert keep.is_dir()

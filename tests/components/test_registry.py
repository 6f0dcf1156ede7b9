from __future__ import annotations

import re
from typing import Any

import pytest

from rerank_lab.components import registry
from rerank_lab.components.base import KINDS, Info, Param
from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import Broken, resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import parse

Calls = list[tuple[str, Any]]


def test_a_package_on_the_path_adds_its_components(plugin: Calls) -> None:
    assert str(resolve("as-given >> by-length(sign=-1)")) == "as-given >> by-length(sign=-1)"


def test_a_plugin_that_does_not_load_becomes_a_row_not_a_crash(plugin: Calls) -> None:
    rows = {row.name: row for row in registry.infos("reranker")}
    broken = rows["broken"]
    assert isinstance(broken, Broken)
    assert "ThereIsNoSuchName" in broken.error
    assert "Traceback" in broken.details
    assert isinstance(rows["by-length"], Info)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("without-info", "its class has no `info`"),
        ("misnamed", "its `info` describes the reranker 'by-length'"),
        ("leaves", "SystemExit: 3"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_a_row_and_a_plain_error(
    plugin: Calls, name: str, words: str
) -> None:
    rows = {row.name: row for row in registry.infos("reranker")}
    row = rows[name]
    assert isinstance(row, Broken)
    assert words in row.error
    assert isinstance(rows["by-length"], Info)
    with pytest.raises(InvalidInput, match=re.escape(words)):
        resolve(f"bm25 >> {name}")


def test_a_plugin_cannot_take_the_name_of_a_built_in_component(plugin: Calls) -> None:
    assert registry.entry_points("retriever")["bm25"].value.startswith("rerank_lab.")


def test_the_canonical_form_drops_defaults_and_uses_catalogue_names() -> None:
    long = 'bm25(k=100) >> cross-encoder(top=100,model="ms-marco-minilm-l12")'
    assert str(resolve(long)) == "bm25 >> ms-marco-minilm-l12"
    assert str(resolve("bm25 >> cross-encoder")) == "bm25 >> ms-marco-minilm-l12"
    assert str(resolve('dense(model="bge-small-en")')) == "dense"
    assert resolve("bm25 >> ms-marco-minilm-l12") == resolve(long)
    assert str(resolve('dense(model="all-minilm-l6")')) == "all-minilm-l6"
    assert str(resolve('bm25 >> cross-encoder(model="owner/name")')) == (
        'bm25 >> cross-encoder(model="owner/name")'
    )


def test_the_canonical_form_is_a_fixed_point() -> None:
    for text in ("bm25(k1=2) >> all-minilm-l6(top=7)", "rrf(bm25,all-minilm-l6,k=10)", "dense"):
        once = resolve(text)
        assert resolve(str(once)) == once == resolve(parse(str(once)))


def test_every_mistake_is_listed_at_once_with_the_nearest_names() -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve("bm26(k=1) >> ms-marco-minilm-l21 >> cross-encoder(tpo=3,top=0)")
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    assert "'bm26'; did you mean bm25" in problems
    assert "ms-marco-minilm-l12" in problems
    assert "'tpo'; did you mean top" in problems
    assert "top must be at least 1, not 0" in problems
    assert "?." not in caught.value.message


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("ms-marco-minilm-l12", "there is no first stage"),
        ("bm25 >> bm25", "there is no reranker"),
        ("rrf(bm25)", "at least two sources"),
        ("nosuch(bm25,dense)", "there is no fusion"),
        ("bm25 >> rrf(bm25)", "at least two sources"),
        ("rrf(bm25,ms-marco-minilm-l12)", "there is no first stage"),
        ('bm25(k1="high")', "k1 must be a number"),
        ("bm25(k=1.5)", "k must be a whole number"),
        ("bm25(k=true)", "k must be a whole number"),
    ],
)
def test_a_component_out_of_place_is_refused(spec: str, word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        resolve(spec)


def test_a_whole_number_serves_where_a_decimal_is_asked_for() -> None:
    assert resolve("bm25(k1=2)") == resolve("bm25(k1=2.0)")


def test_choices_are_named_when_missed() -> None:
    value, problem = Param("index", "flat", "h", choices=("flat", "hnsw")).check("tree")
    assert value is None
    assert problem == 'index must be one of "flat", "hnsw", not "tree"'


def test_every_built_in_component_describes_itself() -> None:
    for kind in KINDS:
        for row in registry.infos(kind):
            assert isinstance(row, Info), row
            assert (row.kind, bool(row.summary), bool(row.scale)) == (kind, True, True)
            assert all(param.help for param in row.params)
            assert not row.problems({p.name: p.default for p in row.params})


def test_every_catalogue_entry_fills_a_registered_component() -> None:
    for model in catalogue().values():
        assert model.retriever or model.reranker or model.extra.get("carrier_only")
        for kind in ("retriever", "reranker"):
            component = model.component(kind)
            assert not component or component in registry.entry_points(kind)
        assert model.licence
        assert model.as_of
        assert model.size

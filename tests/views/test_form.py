from __future__ import annotations

import pytest

from rerank_lab.errors import InvalidInput
from rerank_lab.registry import resolve
from rerank_lab.views import form

SPEC = resolve("rrf(bm25,dense) >> ms-marco-minilm-l12(top=20)")


def test_each_component_has_a_section_with_its_options() -> None:
    found = form.sections(SPEC)
    assert [(section.title, section.path) for section in found] == [
        ("rrf", (0,)),
        ("bm25", (0, 0)),
        ("dense", (0, 1)),
        ("ms-marco-minilm-l12", (1,)),
    ]
    values = {field.param.name: field.value for field in found[3].fields}
    assert values["top"] == 20
    assert values["model"] == "ms-marco-minilm-l12"


def test_a_changed_option_makes_a_canonical_spec() -> None:
    changed = form.with_option(SPEC, (0, 0), "k1", 0.9)
    assert str(changed.source) == "rrf(bm25(k1=0.9),dense)"
    assert form.with_option(changed, (0, 0), "k1", 1.2) == SPEC


def test_another_model_keeps_the_other_options() -> None:
    changed = form.with_option(SPEC, (1,), "model", "bge-reranker-base")
    assert str(changed.stages[0]) == "bge-reranker-base(top=20)"


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 1"):
        form.with_option(SPEC, (1,), "top", 0)


def test_stages_come_and_go() -> None:
    longer = form.with_stage(SPEC, "identity")
    assert [node.name for node in longer.stages] == ["ms-marco-minilm-l12", "identity"]
    assert form.without_stage(longer, 2) == SPEC
    assert form.without_stage(SPEC, 1).stages == ()


def test_a_second_opinion_is_fused_with_the_last_reranker() -> None:
    fused = form.fused_with(SPEC, "colbert-small-encoder")
    assert str(fused.stages[0]) == "rrf(ms-marco-minilm-l12(top=20),colbert-small-encoder)"
    third = form.fused_with(fused, "overlap")
    assert [source.name for source in third.stages[0].sources][-1] == "overlap"
    titles = [(section.title, section.path) for section in form.sections(fused)][3:]
    assert titles == [
        ("rrf", (1,)),
        ("ms-marco-minilm-l12", (1, 0)),
        ("colbert-small-encoder", (1, 1)),
    ]
    changed = form.with_option(fused, (1, 0), "top", 30)
    assert str(changed.stages[0].sources[0]) == "ms-marco-minilm-l12(top=30)"
    weighed = form.with_option(fused, (1,), "k", 10)
    assert weighed.stages[0].values == {"k": 10}


def test_a_spec_typed_wrong_comes_back_as_an_error_with_a_hint() -> None:
    spec, error = form.parsed("bm25 >> nothing-like-this")
    assert spec is None
    assert error is not None
    assert error.hint


def test_what_can_be_added_names_models_and_components() -> None:
    names = form.rerankers()
    assert "ms-marco-minilm-l12" in names
    assert "identity" in names
    assert "dense" not in names

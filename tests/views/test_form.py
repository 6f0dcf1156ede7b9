from __future__ import annotations

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.views import choices, form

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


def fields(spec: str, depth: int | None) -> dict[str, str]:
    """`component.option` -> what happens without a number, where it is not the number shown."""
    return {
        f"{section.title}.{field.param.name}": field.automatic
        for section in form.sections(resolve(spec), depth)
        for field in section.fields
        if field.automatic and not field.chosen
    }


def test_a_form_says_what_will_really_happen() -> None:
    found = fields("rrf(bm25,dense(k=30)) >> ms-marco-minilm-l12", 50)
    assert found["bm25.k"] == "50 (page's depth)"
    assert found["rrf.top"] == "50 (page's depth)"
    assert "dense.k" not in found
    assert found["ms-marco-minilm-l12.max_length"] == "automatic (512)"
    assert found["ms-marco-minilm-l12.batch_tokens"] == "automatic, by device"
    assert "ms-marco-minilm-l12.top" not in found


def test_what_is_chosen_is_not_automatic() -> None:
    found = fields("bm25 >> ms-marco-minilm-l12(max_length=128)", 50)
    assert "ms-marco-minilm-l12.max_length" not in found


def test_a_model_whose_limit_is_not_known_has_its_own() -> None:
    found = fields('bm25 >> cross-encoder(model="somebody/model")', 50)
    assert found["cross-encoder.max_length"] == "automatic"


def test_sources_of_a_fused_stage_do_not_take_the_depth_of_the_page() -> None:
    assert "rrf.top" not in fields("bm25 >> rrf(overlap,bge-small-en)", 50)


def test_limits_and_prices_of_a_provider_are_told_in_words() -> None:
    found = fields("bm25 >> cohere", 50)
    assert found["cohere.requests_per_minute"].endswith("the provider's")
    assert found["cohere.price"] == "by the price list"


def test_an_emptied_box_puts_back_the_default() -> None:
    spec = resolve("bm25(k=30) >> ms-marco-minilm-l12(max_length=128)")
    assert str(form.with_option(spec, (0,), "k", None).source) == "bm25"
    assert str(form.with_option(spec, (1,), "max_length", None).stages[0]) == "ms-marco-minilm-l12"


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
    groups = choices.reranker_groups(Context(secrets={"COHERE_API_KEY": "x"}))
    assert set(groups) <= set(choices.GROUPS)
    assert "zerank-2" in groups[choices.DOWNLOAD]
    assert "8.0 GB to fetch" in groups[choices.DOWNLOAD]["zerank-2"]
    assert {"identity", "mmr", "threshold"} <= groups[choices.RULE].keys()
    assert "its key is set" in groups[choices.PROVIDER]["cohere"]
    assert "no key yet: VOYAGE_API_KEY" in groups[choices.PROVIDER]["voyage"]
    assert "cross-encoder" in groups[choices.BY_NAME]
    assert not any("dense" in names for names in groups.values())
    assert len({name for names in groups.values() for name in names}) == sum(
        map(len, groups.values())
    )
    assert {"bm25", "dense", "bge-small-en"} <= choices.first_stages().keys()


def test_another_first_stage_leaves_the_rerankers_and_the_number_of_candidates() -> None:
    spec, _ = form.parsed("bm25(k=30,k1=2.0) >> mmr(top=5) >> identity")
    assert spec is not None
    assert str(form.with_first_stage(spec, "rm3")) == "rm3(k=30) >> mmr(top=5) >> identity"
    fused, _ = form.parsed("rrf(bm25,rm3) >> mmr")
    assert fused is not None
    assert str(form.with_first_stage(fused, "bm25")) == "bm25 >> mmr"


def test_every_option_is_called_by_words() -> None:
    for name in ("listwise", "setwise", "pointwise-llm", "threshold", "duot5"):
        spec, error = form.parsed(f"bm25 >> {name}")
        assert spec is not None, error
        for section in form.sections(spec):
            assert not [f.label for f in section.fields if "_" in f.label or f.label[0].islower()]

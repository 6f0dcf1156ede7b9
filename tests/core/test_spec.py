from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import MAX_SPEC_CHARS, Node, PipelineSpec, parse

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("true", "false")
)
literals = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
options = st.dictionaries(names, literals, max_size=3).map(lambda d: tuple(d.items()))
components = st.builds(Node, names, options)
sources = st.recursive(
    components,
    lambda inner: st.builds(
        Node, names, options, st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
specs = st.builds(
    lambda source, stages: PipelineSpec((source, *stages)),
    sources,
    st.lists(components, max_size=3),
)


@given(specs)
def test_what_is_printed_parses_back_to_an_equal_value(spec: PipelineSpec) -> None:
    assert parse(str(spec)) == spec


@given(st.text(max_size=60))
def test_any_text_gives_a_spec_or_an_error_with_a_hint(text: str) -> None:
    spec, hint = None, ""
    try:
        spec = parse(text)
    except InvalidInput as error:
        hint = error.hint
    assert hint if spec is None else parse(str(spec)) == spec


def test_the_order_in_which_options_are_written_does_not_matter() -> None:
    assert parse("bm25(k1=0.9,b=0.4)") == parse("bm25( b = 0.4 , k1 = 0.9 )")


def test_a_fusion_holds_its_sources_in_order() -> None:
    spec = parse('rrf(bm25,dense(model="bge-small-en"),k=60) >> ms-marco-minilm-l12(top=50)')
    assert [source.name for source in spec.source.sources] == ["bm25", "dense"]
    assert spec.source.values == {"k": 60}
    assert spec.stages == (Node("ms-marco-minilm-l12", (("top", 50),)),)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "character 1"),
        ("bm25 >>", "character 8"),
        ("bm25(k=", "character 8"),
        ("bm25(k=10", "character 10"),
        ("bm25(k=ten)", "character 11"),
        ("bm25(k=1,k=2)", "character 10"),
        ("rrf(k=60,bm25)", "character 10"),
        ("bm25) >> x", "character 5"),
        ('run(path="a\\q")', "character 15"),
        ("bm25(k1=1e999)", "character 14"),
    ],
)
def test_an_error_points_at_the_character_at_fault(text: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    assert place in caught.value.message
    assert caught.value.hint


def test_a_spec_from_a_hostile_url_cannot_exhaust_the_parser() -> None:
    with pytest.raises(InvalidInput, match="characters long"):
        parse("a(" * MAX_SPEC_CHARS)
    with pytest.raises(InvalidInput, match="levels of brackets"):
        parse("rrf(" * 500 + "bm25" + ")" * 500)


def test_nodes_compose_with_the_arrow() -> None:
    spec = Node("bm25") >> Node("a") >> Node("b")
    assert str(spec) == "bm25 >> a >> b"
    assert str(spec.prefix(2)) == "bm25 >> a"


def test_a_number_of_five_thousand_digits_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="a number of at most 100 digits"):
        parse(f"bm25(k={'9' * 3900})")

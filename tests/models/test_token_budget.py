"""How much of a text fits beside a query, against what the engines themselves cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank_lab.models.locate.resolve import locate
from rerank_lab.models.prompt_templates import DECODERS, SEQ2SEQ
from rerank_lab.models.runtime.tokenizer import FastTokenizer
from rerank_lab.models.token_budget import pair_token_budget, prompt_token_budget, text_token_budget
from rerank_lab.models.torch.prompted import PromptEncoder
from tests.models.tiny_lm import save_tokenizer

TEXT = st.lists(
    st.sampled_from(["word", "population", "3,520", "é", "漢字", "😀", "\ud83d", "\n", "x-y"]),
    max_size=60,
).map(" ".join)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def folder() -> Path:
    return locate("ms-marco-minilm-l12").folder


@pytest.mark.models
@FEW
@given(TEXT, TEXT, st.integers(12, 80))
def test_a_pair_is_cut_exactly_where_the_engine_cuts_it(
    folder: Path, query: str, text: str, limit: int
) -> None:
    budget = pair_token_budget(folder, query, limit)
    assert budget is not None
    tokens = budget.spans(text)
    (made,) = FastTokenizer(folder / "tokenizer.json").pairs(query, [text], limit)
    read = int(made.types.sum()) - 1  # the second text's tokens, less the last separator
    fits = len(tokens) <= budget.limit
    if fits:
        assert read == len(tokens)
    elif 2 * budget.limit > limit - 3:
        assert read == budget.limit
        assert made.cut
    else:  # both are cut, and the text, when it is the longer one, keeps the odd token
        assert read - budget.limit in (0, 1)
        assert made.cut


@pytest.mark.models
@pytest.mark.parametrize("prefix", ["", "passage: "])
def test_a_text_alone_is_cut_exactly_when_it_has_more_tokens_than_fit(
    folder: Path, prefix: str
) -> None:
    budget = text_token_budget(folder, 40, prefix)
    assert budget is not None
    engine = FastTokenizer(folder / "tokenizer.json")
    for words in range(60):
        text = " ".join(["population", "\ud83d", "x-y"][i % 3] for i in range(words))
        (made,) = engine.singles([prefix + text], 40)
        assert made.cut == (len(budget.spans(text)) > budget.limit), words


@pytest.mark.parametrize("name", [*DECODERS, *SEQ2SEQ])
def test_a_prompt_is_cut_exactly_when_the_document_has_more_tokens_than_fit(
    name: str, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    save_tokenizer(tmp_path)
    template = {**DECODERS, **SEQ2SEQ}[name]
    prompting = PromptEncoder(AutoTokenizer.from_pretrained(str(tmp_path)), template)
    budget = prompt_token_budget(tmp_path, template, "how many people", "", 128)
    assert budget is not None
    assert budget.limit > 20
    for words in range(1, 160, 3):
        text = " ".join(["population"] * words)
        prompt = prompting.prompt({"query": "how many people", "document": text}, 128)
        assert prompt.cut == (len(budget.spans(text)) > budget.limit), words


@pytest.mark.models
@FEW
@given(st.text(max_size=200))
def test_places_are_characters_of_the_text_in_order(folder: Path, text: str) -> None:
    budget = pair_token_budget(folder, "how many people", 64)
    assert budget is not None
    for before, after in zip(budget.spans(text), budget.spans(text)[1:], strict=False):
        assert before[0] <= after[0]
    for start, end in budget.spans(text):
        assert 0 <= start <= end <= len(text)


def test_without_a_tokenizer_nothing_is_told(tmp_path: Path) -> None:
    assert pair_token_budget(tmp_path, "q", 64) is None
    assert text_token_budget(tmp_path, 64) is None
    assert prompt_token_budget(tmp_path, DECODERS["qwen3"], "q", "", 64) is None

"""Prompts on screen: what is wrong with a draft, and exactly what it would send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Document, Query
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.llm.base import LLMReranker
from rerank_lab.rerankers.llm.prompts import KINDS, delete_prompt, own_folder, save_prompt
from rerank_lab.services import prompts as own_prompts
from rerank_lab.services.compare import llm_reranker_of, prompt_digests
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import KEY, overlap
from rerank_lab.views import prompts

DOCS = [Document("a", "Paris [2] is a capital"), Document("b", "Bananas"), Document("c", "Tea")]
QUERY = Query("q", "capital [3] of France")


def asking(spec: str, home: Path) -> LLMReranker:
    found = llm_reranker_of(resolve(f"bm25 >> {spec}").stages[0], Engine(home))
    assert found is not None
    return found


def test_the_preview_is_what_the_server_gets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    with FakeChat(sorter(overlap)) as server:
        made = asking(f'listwise(base_url="{server.url}",model="m",instruction="Be kind.")', home)
        shown = prompts.preview(made, made.prompt, QUERY, DOCS)
        made.rerank(QUERY, DOCS[:2], Context(secrets={"OPENAI_API_KEY": KEY}))
        sent = server.requests[0].body["messages"]
    assert [(turn["role"], turn["content"]) for turn in sent] == list(shown.turns)
    assert "Be kind." in shown.turns[1][1]
    assert "Bananas" in json.dumps(shown.turns)
    assert "Tea" not in json.dumps(shown.turns)
    size = sum(len(text) for _, text in shown.turns)
    assert shown.about.startswith(f"With 2 documents: {size:,} characters, about ")


def test_one_passage_at_a_time_is_said(home: Path) -> None:
    yesno = asking("pointwise-llm", home)
    assert prompts.preview(yesno, yesno.prompt, QUERY, DOCS).about.startswith("With 1 document:")
    likelihood = asking('pointwise-llm(form="likelihood")', home)
    told = prompts.preview(likelihood, likelihood.prompt, QUERY, DOCS).about
    assert "The query follows" in told
    assert prompts.preview(yesno, yesno.prompt, QUERY, []).turns


def test_problems_come_with_their_lines_in_order() -> None:
    text = "kind: setwise\nplaceholders: [query]\nturns:\n  - role: boss\n    text: '{quary}'\n"
    prompt, problems = prompts.check(text, "setwise")
    assert prompt is None
    assert problems[0] == prompts.PromptProblem(
        2, "the placeholder {query} is declared but not used"
    )
    assert prompts.PromptProblem(5, "unknown placeholder {quary}") in problems
    assert [p.line for p in problems] == sorted(p.line for p in problems)
    (broken,) = prompts.check("kind: [", "setwise")[1]
    assert broken.what.startswith("not valid YAML")
    (long,) = prompts.check("x" * 70_000, "setwise")[1]
    assert long == prompts.PromptProblem(0, "longer than 64,000 bytes")
    (other, *_) = prompts.check(prompts.draft_of("yesno"), "setwise")[1]
    assert "'setwise' is wanted here" in other.what


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_placeholder_of_a_kind_is_told(kind: str) -> None:
    found = prompts.placeholders(kind)
    assert KINDS[kind].required <= {one.name for one in found if one.needed}
    assert all(one.about for one in found)
    assert "{passages}" not in {f"{{{one.name}}}" for one in found if KINDS[kind].one}


def test_a_stage_offers_the_prompts_of_its_kind(home: Path) -> None:
    save_prompt("mine", prompts.draft_of("rankllm"))
    save_prompt("yes", prompts.draft_of("yesno"))
    found = prompts.choices(asking('listwise(prompt="mine")', home))
    assert found.names[0] == ""
    assert {"mine", "rankllm"} < set(found.names)
    assert "yes" not in found.names
    assert (found.default, found.own, found.source) == ("rankgpt", True, "mine")
    assert found.words("") == "rankgpt (the form's own)"
    gone = prompts.choices(asking('listwise(prompt="gone")', home))
    assert gone.names[-1] == "gone"
    assert not gone.own


def test_a_draft_is_kept_under_a_name_that_is_free(home: Path) -> None:
    text = prompts.draft_of("rankgpt")
    assert prompts.free_name("rankgpt") == "rankgpt-copy"
    own_prompts.save("rankgpt-copy", text, "")
    assert prompts.free_name("rankgpt") == prompts.free_name("rankgpt-copy") == "rankgpt-copy-2"
    own_prompts.save("rankgpt-copy", text + "# more\n", "rankgpt-copy")
    assert prompts.draft_of("rankgpt-copy").endswith("# more\n")
    with pytest.raises(InvalidInput, match="already"):
        own_prompts.save("rankgpt-copy", text, "")
    for name in ("rankgpt", "../x", "a/b", "A", "", "x.yaml", "/etc/x.yaml", "ü"):
        with pytest.raises(InvalidInput):
            own_prompts.save(name, text, name)
    with pytest.raises(InvalidInput):
        own_prompts.save("wrong", "kind: [", "")
    assert [path.name for path in own_folder().iterdir()] == ["rankgpt-copy.yaml"]
    with pytest.raises(InvalidInput, match="There is no edited prompt"):
        delete_prompt("rankgpt")
    delete_prompt("rankgpt-copy")
    assert list(own_folder().iterdir()) == []


def test_who_uses_a_prompt_and_how_its_words_are_told_apart(home: Path) -> None:
    own_prompts.save("mine", prompts.draft_of("setwise"), "")
    texts = ("bm25", 'bm25 >> setwise(prompt="mine")', "bm25 >> setwise")
    specs = [parse(text) for text in texts]
    engine = Engine(home)
    assert prompts.users("mine", specs, engine) == (specs[1],)
    assert "1 pipeline on screen uses it" in prompts.loss([specs[1]])
    assert "2 pipelines on screen use it" in prompts.loss(specs[:2])
    before = prompt_digests(Pipeline(specs[1]), engine)
    assert prompt_digests(Pipeline(specs[2]), engine) == ()
    own_prompts.save("mine", prompts.draft_of("setwise").replace("most", "very most"), "mine")
    assert prompt_digests(Pipeline(specs[1]), engine) != before


def test_a_file_outside_is_no_prompt_of_the_app(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("kind: setwise\nsecret: words\n")
    engine = Engine(home)
    engine.readable = (home,)
    node = resolve(f'bm25 >> setwise(prompt="{outside}")').stages[0]
    with pytest.raises(InvalidInput, match="may not read"):
        engine.reranker(node)
    assert llm_reranker_of(node, engine) is None

"""The snippets of the Serve page do what they say, against a server that listens."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.server.keys import ApiKeys
from rerank_lab.views.serve import (
    ServeTarget,
    Snippet,
    rerank_snippets,
    search_snippet,
    serve_command,
    state_sentence,
    traffic_sentence,
)
from tests.server.conftest import listening

NAME = "bm25 >> overlap"
FIRST = "A heat pump moves heat from a cold place to a warm one."
CLIENTS = {
    "LangChain": "langchain_cohere",
    "LlamaIndex": "llama_index.postprocessor.cohere_rerank",
}
TITLES = [snippet.title for snippet in rerank_snippets(ServeTarget(NAME))]


def run(snippet: Snippet, key: str) -> str:
    """What it prints, with the key in its place."""
    code = snippet.code.replace("YOUR-KEY", key)
    if snippet.language == "bash":
        if shutil.which("curl") is None:
            pytest.skip("no curl here")
        command = ["bash", "-c", code]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, snippet.title, "exec"), {})
    return printed.getvalue()


@pytest.mark.parametrize("title", TITLES)
def test_a_snippet_reranks(home: Path, title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a-key-of-thirty-two-characters-00"
    if title in CLIENTS:
        pytest.importorskip(CLIENTS[title])
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with listening(home, specs={NAME: NAME}, keys=ApiKeys([key])) as address:
        target = ServeTarget(NAME, address, key_needed=True)
        snippet = next(one for one in rerank_snippets(target) if one.title == title)
        printed = run(snippet, key)
    if title == "curl":
        assert [result["index"] for result in json.loads(printed)["results"]] == [1, 0]
    else:
        assert printed.splitlines()[0].endswith(FIRST)
        assert len(printed.splitlines()) == 2


def test_the_search_snippet_searches(home: Path, corpus: Corpus) -> None:
    with listening(home, specs={NAME: NAME}, corpus=corpus) as address:
        answer = json.loads(run(search_snippet(ServeTarget(NAME, address)), ""))
    assert answer["hits"][0]["doc_id"] == "d1"


def test_a_spec_is_quoted_for_the_shell() -> None:
    spec = """bm25 >> cross-encoder(model="a'b")"""
    words = subprocess.run(
        ["bash", "-c", f"set -- {serve_command(spec, 'my corpus')}; printf '%s\\n' \"$@\""],
        capture_output=True, check=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    assert words == ["rerank-lab", "serve", spec, "--corpus", "my corpus", "--port", "8000"]


def test_sentences_about_the_state() -> None:
    assert state_sentence("failed: No weights.").endswith("cannot answer: No weights.")
    quiet, busy = traffic_sentence(1, 0, 0, 66), traffic_sentence(1200, 3, 1, 66)
    assert quiet == "1 request since the start · 0 of 66 places in the queue taken"
    assert "1,200 requests since the start, 3 of them refused or failed" in busy

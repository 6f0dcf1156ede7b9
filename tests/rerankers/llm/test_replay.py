"""What would be sent is what is sent, and answers open again without a key."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.remote.recordings import Recording
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM
from rerank_lab.testing.provider_servers import KEY

from .conftest import QUERY, Serve, documents, make
from .test_forms import EVERY, NAMES, SMALL


@pytest.mark.parametrize(("kind", "options"), EVERY, ids=NAMES)
def test_the_example_is_a_question_that_is_sent(
    serve: Serve, ctx: Context, kind: Any, options: dict[str, Any]
) -> None:
    server, docs = serve(), documents([1, 2, 3])
    told = make(kind, server, instruction="Prefer short ones.", **SMALL.get(kind, {}), **options)
    told.rerank(QUERY, docs, ctx)
    sent = [questions(received.body) for received in server.requests]
    texts = [doc.content for doc in docs]
    size = 1 if kind is PointwiseLLM else 2
    shown = [
        "\n\n".join(text for _, text in told.example(QUERY.text, list(some)))
        for some in permutations(texts, size)
    ]
    assert any(one.startswith(example) for one in sent for example in shown)


def questions(body: Any) -> str:
    """What a request says, turns one after another."""
    turns = [turn["content"] for turn in body.get("messages", ())]
    return body.get("prompt") or "\n\n".join(turns)


def test_answers_replay_without_key_and_server(
    serve: Serve, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, recording_file = documents([3, 1, 4, 2, 5]), tmp_path / "t.sqlite"
    server = serve()

    def made() -> list[Any]:
        return [make(kind, server, **options) for kind, options in EVERY]

    with Recording(recording_file) as recording:
        first = [one.rerank(QUERY, docs, replace(ctx, recording=recording)) for one in made()]
        assert KEY not in "".join(recording.lines())
    server.__exit__(None, None, None)
    monkeypatch.delenv("RERANK_LAB_ALLOW_PRIVATE_URLS")
    with Recording(recording_file, "replay") as recording:
        again = [one.rerank(QUERY, docs, Context(recording=recording)) for one in made()]
    assert [one.ranking for one in again] == [one.ranking for one in first]
    assert [one.status for one in again] == [one.status for one in first]

"""What was recorded through the providers' SDKs, before the one caller, still answers.

The fixtures were made by the first edition (2f50ead) against the fake servers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Document, Query
from rerank_lab.remote.recordings import Recording

HERE = Path(__file__).parent / "fixtures"
RUNS = json.loads((HERE / "runs-of-2f50ead.json").read_text("utf-8"))
QUERY = Query("q1", "capital of France")
DOCS = [
    Document("a", "Bananas are yellow."),
    Document("b", "Paris is the capital of France."),
    Document("c", "The capital grew."),
    Document("e", "Zürich \u2028 x"),
]


@pytest.mark.parametrize("run", RUNS, ids=[f"{i}-{run['reranker']}" for i, run in enumerate(RUNS)])
def test_a_recording_of_the_first_edition_replays(run: dict[str, Any]) -> None:
    with Recording(MEMORY) as recording:
        # Not `splitlines`: texts may hold other line separators.
        recording.add_lines((HERE / "recording-of-2f50ead.jsonl").read_text("utf-8").split("\n"))
        recording.mode = "replay"
        reranker = load("reranker", run["reranker"])(**run["options"])
        reranked = reranker.rerank(QUERY, DOCS, Context(recording=recording))
    assert list(reranked.ranking.doc_ids) == run["doc_ids"]


@pytest.mark.parametrize("headers", ["{oops", "[" * 100_000, "5"])
def test_a_damaged_recording_is_called_so(headers: str) -> None:
    row = ("k", "voyage", 200, headers, "{}", "2026")
    with Recording(MEMORY) as recording, recording._connection as connection:
        connection.execute("insert into exchanges values (?, ?, ?, ?, ?, ?)", row)
        with pytest.raises(InvalidInput, match="it is damaged"):
            recording.play("k")

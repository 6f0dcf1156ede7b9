"""A small judged corpus, and commands run in this process with their answers as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main
from rerank_lab.pipeline.engine import default_engine

Calls = list[tuple[str, object]]


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small judged corpus in BEIR's layout; `long` answers q1, `short` answers q2."""
    made = tmp_path / "my corpus"
    made.mkdir()
    documents = [
        {"_id": "short", "title": "Cats", "text": "Cats purr."},
        {"_id": "long", "title": "Dogs", "text": "Dogs bark at the moon all night long."},
        {"_id": "other", "title": "", "text": "Fish are quiet."},
    ]
    queries = [{"_id": "q1", "text": "loud dogs"}, {"_id": "q2", "text": "what purrs"}]
    (made / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    (made / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    (made / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\tlong\t2\nq1\tshort\t0\nq2\tshort\t1\n"
    )
    return made


def run_json(capsys: pytest.CaptureFixture[str], *given: str) -> Any:
    code = main([*given, "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert shown.err == ""
    return json.loads(shown.out)


def fail_json(capsys: pytest.CaptureFixture[str], *given: str) -> dict[str, Any]:
    code = main([*given, "--json"])
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    found: dict[str, Any] = json.loads(shown.err)
    assert {"error", "message", "hint"} <= set(found)
    assert found["hint"]
    return found

"""`rerank-lab score`: what it prints and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rerank_lab.cli import main
from tests.cli.conftest import Calls, fail_json, run_json


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    records = [{"query": "q", "text": "abc", "qid": "1"}, {"query": "q", "text": "de", "qid": "1"}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_score_says_what_was_written(
    capsys: pytest.CaptureFixture[str], pairs: Path, plugin: Calls
) -> None:
    out = pairs.with_name("out.parquet")
    words = ["score", str(pairs), "--out", str(out), "-p", "by-length"]
    shown = run_json(capsys, *words)
    assert shown["written"] == str(out)
    assert (shown["pairs"], shown["reused"], shown["scale"]) == (2, 0, "characters")
    assert pq.read_table(out).to_pylist()[0] == {
        "row": 1, "query_id": "1", "document_id": "", "score": 3.0,
    }  # fmt: skip
    assert "is there already" in fail_json(capsys, *words)["message"]
    assert main([*words, "--replace"]) == 0
    assert "2 pairs scored by by-length (characters)" in capsys.readouterr().out


def test_score_refuses_what_it_cannot_write_or_read(
    capsys: pytest.CaptureFixture[str], pairs: Path, plugin: Calls
) -> None:
    wrong = fail_json(capsys, "score", str(pairs), "--out", "scores.csv", "-p", "by-length")
    assert "Parquet" in wrong["message"]
    gone = str(pairs.with_name("gone.jsonl"))
    missing = fail_json(capsys, "score", gone, "--out", f"{gone}.parquet", "-p", "by-length")
    assert "There is no file" in missing["message"]
    words = ["score", str(pairs), "--out", f"{pairs}.parquet", "-p", "by-length"]
    assert "ROLE=COLUMN" in fail_json(capsys, *words, "--columns", "query")["message"]

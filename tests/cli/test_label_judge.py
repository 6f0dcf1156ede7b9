"""`labels judge`: cost first, limit, JSON, and the comparison with the corpus' own judgments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.testing.chat_server import FakeChat, Reply
from rerank_lab.testing.provider_servers import KEY

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeChat]:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FakeChat(lambda question: Reply('{"reason": "x", "grade": 1}')) as fake:
        yield fake


def words(folder: Path, server: FakeChat, *more: str) -> list[str]:
    return ["labels", "judge", str(folder), "-p", "bm25", "--model", "test-model",
            "--base-url", server.url, "--depth", "2", *more]  # fmt: skip


def test_the_cost_is_told_before_anything_is_asked(
    folder: Path, server: FakeChat, capsys: Captured
) -> None:
    assert main(words(folder, server, "--json")) == 2
    error = json.loads(capsys.readouterr().err)
    assert "--yes" in error["hint"]
    assert server.requests == []
    assert main(words(folder, server, "--json", "--limit-usd", "1")) == 2
    assert "price" in json.loads(capsys.readouterr().err)["message"]
    assert main(words(folder, server, "--json", "--yes")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"judge", "pool", "before", "graded", "abstained", "failed", "cost_usd",
                           "failures", "may_enter_qrels"}  # fmt: skip
    assert answer["graded"] == answer["pool"] == len(server.requests) > 0
    assert answer["may_enter_qrels"] is False
    assert main(words(folder, server, "--price-in", "0", "--price-out", "0")) == 0
    assert "enter no qrels until" in capsys.readouterr().out


def test_trust_prints_kappa_bias_and_what_stands_in_the_way(
    folder: Path, server: FakeChat, capsys: Captured
) -> None:
    assert main(words(folder, server, "--yes", "--trust", "--json")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["against"] == "corpus"
    assert answer["confusion"] == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert answer["may_enter_qrels"] is False
    assert "30 are needed" in answer["refusal"]
    assert main(words(folder, server, "--yes", "--trust")) == 0
    shown = capsys.readouterr().out
    assert "may not enter qrels" in shown
    assert "Weighted kappa" in shown


def test_a_prompt_is_printed_to_be_edited_and_used_from_its_file(
    folder: Path, server: FakeChat, tmp_path: Path, capsys: Captured
) -> None:
    assert main(words(folder, server, "--print-prompt")) == 0
    file = tmp_path / "mine.yaml"
    file.write_text(capsys.readouterr().out.replace("Go step by step", "Take your time"), "utf-8")
    assert main(words(folder, server, "--yes", "--prompt", str(file), "--scale", "umbrela")) == 0
    assert "Take your time" in server.requests[0].body["messages"][-1]["content"]
    file.write_text(file.read_text("utf-8").replace("{query}", "{question}"), "utf-8")
    assert main(words(folder, server, "--yes", "--prompt", str(file))) == 2
    assert "unknown placeholder {question}" in capsys.readouterr().err

"""`labels judge`: cost first, limit, JSON, and the comparison with the corpus' own judgments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.testing.chat_server import FakeChat, Reply, sorter
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


def test_evaluate_says_what_the_judges_error_does_to_a_difference(
    server: FakeChat, tmp_path: Path, capsys: Captured
) -> None:
    """Twelve queries; two of three documents of each are judged by the corpus, one by the judge."""
    server.mind = sorter(lambda _, texts: [3.0 if "good" in text else 0.0 for text in texts])
    collection = tmp_path / "goods"
    collection.mkdir()
    rows: dict[str, list[dict[str, str]]] = {"corpus": [], "queries": []}
    qrels = ["query-id\tcorpus-id\tscore"]
    for n in range(16):
        for kind in ("good", "bad", "other"):
            text = f"topic{n} is {kind} here {f'topic{n} ' * (n % 3)}"
            rows["corpus"].append({"_id": f"{kind}{n}", "text": text})
        rows["queries"].append({"_id": f"q{n}", "text": f"topic{n}"})
        qrels += [f"q{n}\tgood{n}\t3", f"q{n}\tbad{n}\t0"]
    for name, lines in rows.items():
        (collection / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    (collection / "qrels.tsv").write_text("\n".join(qrels) + "\n")
    assert main(words(collection, server, "--depth", "3", "--yes", "--json")) == 0
    judge = json.loads(capsys.readouterr().out)["judge"]
    ask = ["evaluate", str(collection), "-p", "bm25", "bm25 >> mmr", "-m", "nDCG@10", "--json",
           "--judgments", "both", "--llm-judge", judge]  # fmt: skip
    assert main(ask) == 2
    assert "not compared with people" in json.loads(capsys.readouterr().err)["message"]
    assert main(words(collection, server, "--yes", "--trust", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["may_enter_qrels"] is True
    assert main(ask) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["judgments"]["lab"] == 16
    (error,) = answer["judge_error"].values()
    assert error["labels_drawn"] == 16
    assert error["interval"][0] <= error["expected"] <= error["interval"][1]
    assert main([word for word in ask if word != "--json"]) == 0
    assert "than the judge's error" in capsys.readouterr().out

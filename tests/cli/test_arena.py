"""`rerank-lab arena`: the same numbers as the app, people and models apart."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.judging.arena.ratings import ratings
from rerank_lab.judging.arena.tallies import by_kind
from rerank_lab.judging.records import ArenaSide, JudgeKind
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.testing.chat_server import FakeChat, Reply
from rerank_lab.testing.provider_servers import KEY
from tests.cli.conftest import fail_json, run_json
from tests.judging.arena.votes import decided, vote

BM25, RM3 = "bm25(k=50)", "rm3(k=50)"


def add_votes() -> None:
    people = [
        *decided(BM25, RM3, 12),
        vote(BM25, RM3, ArenaSide.BOTH_BAD, "q99", 99, judge="=evil"),
    ]
    models = [replace(v, judge="gpt", kind=JudgeKind.LLM) for v in decided(RM3, BM25, 5)]
    JudgmentStore.open().add_votes([replace(v, row_id=0) for v in [*people, *models]])


def test_ratings_are_those_of_the_core_and_name_the_winner(
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_votes()
    shown = run_json(capsys, "arena", "ratings", "helpdesk")
    people = by_kind(JudgmentStore.open().votes("helpdesk"))[JudgeKind.HUMAN]
    expected = ratings(people).ratings
    for values, rating in zip(shown["ratings"], expected, strict=True):
        for name in ("pipeline", "strength", "low", "high", "votes"):
            assert values[name] == getattr(rating, name)
    assert shown["distinguishable"] is True
    assert shown["winner"] == BM25
    assert shown["both_bad"] == 1
    assert [shown["kinds"][kind]["votes"] for kind in ("human", "llm")] == [13, 5]
    assert shown["kinds"]["llm"]["distinguishable"] is False


def test_without_votes_nothing_is_rated(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run_json(capsys, "arena", "ratings", "helpdesk")
    assert (shown["ratings"], shown["distinguishable"], shown["kinds"]) == ([], False, {})
    assert main(["arena", "ratings", "helpdesk"]) == 0
    assert "no such votes on helpdesk" in capsys.readouterr().out


def test_people_read_the_verdict_and_how_it_came_about(capsys: pytest.CaptureFixture[str]) -> None:
    add_votes()
    assert main(["arena", "ratings", "helpdesk", "-p", "bm25", "rm3", "--mode", "lists"]) == 0
    shown = capsys.readouterr().out
    assert "People: bm25 is better than every other pipeline" in shown
    assert "Language models: Not yet distinguishable" in shown
    assert "both were bad" in shown


def test_a_pipeline_that_nobody_voted_on_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    add_votes()
    error = fail_json(capsys, "arena", "ratings", "helpdesk", "-p", "bm25", "bm25 >> overlap")
    assert "Nobody voted on bm25 >> overlap" in error["message"]
    assert RM3 in error["hint"]


def test_votes_are_exported_and_no_cell_is_a_formula(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    add_votes()
    store = JudgmentStore.open()
    first = store.votes("helpdesk")[0]
    store.undo_vote(first.row_id, first.judge, first.at)
    file = tmp_path / "votes.csv"
    assert run_json(capsys, "arena", "export", "helpdesk", "-o", str(file))["votes"] == 19
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    assert [row["judge"] for row in rows if "evil" in row["judge"]] == ["'=evil"]
    assert rows[-1]["undoes"] == str(first.row_id)
    assert main(["arena", "export", "helpdesk", "--format", "jsonl"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["outcome"] for line in lines][12] == "both-bad"


def test_a_language_model_votes_and_says_how_consistent_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with FakeChat(lambda question: Reply('{"reason": "x", "better": "tie"}')) as server:
        command = ["arena", "judge", "helpdesk", "--limit", "8", "-p", "bm25", "rm3", "--model",
                   "test-model", "--base-url", server.url]  # fmt: skip
        assert "--yes" in fail_json(capsys, *command)["hint"]
        assert server.requests == []
        shown = run_json(capsys, *command, "--yes")
    assert list(shown) == ["judge", "before", "votes", "abstained", "failed", "swap", "cost_usd",
                           "failures"]  # fmt: skip
    assert shown["votes"] == shown["swap"]["same"] == shown["swap"]["asked"] > 0
    rated = run_json(capsys, "arena", "ratings", "helpdesk")
    assert rated["ratings"] == []
    assert rated["kinds"]["llm"]["votes"] == shown["votes"]

"""`labels queries`: every source of queries, and an evaluation of a tagged part of a set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main
from rerank_lab.testing.chat_server import FakeChat, Question, Reply
from rerank_lab.testing.provider_servers import KEY

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, folder: Path, *words: str) -> Any:
    assert main(["labels", "queries", str(folder), *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: Captured, folder: Path, *words: str) -> str:
    assert main(["labels", "queries", str(folder), *words, "--json"]) == 2
    return str(json.loads(capsys.readouterr().err)["message"])


def test_typed_imported_and_logged_queries_go_into_one_set(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    made = run(capsys, folder, "--name", "mine", "--text", "loud dogs", "=1+1", "--tag", "noise")
    assert [query["text"] for query in made["set"]["queries"]] == ["loud dogs", "=1+1"]
    topics = tmp_path / "more.tsv"
    topics.write_text("id\ttext\nm1\twhat barks\n")
    run(capsys, folder, "--name", "mine", "--file", str(topics))
    log = tmp_path / "log.csv"
    log.write_text('query,frequency\n"fish, quiet",7\ncats,2\nmoon,1\n')
    made = run(capsys, folder, "--name", "mine", "--log", str(log), "--size", "2")
    assert made["added"] == 2
    by_text = {query["text"]: query for query in made["set"]["queries"]}
    assert set(by_text) >= {"loud dogs", "=1+1", "what barks", "fish, quiet"}
    assert by_text["what barks"]["query_id"] == "m1"
    assert by_text["fish, quiet"] | {"query_id": ""} == {
        "query_id": "", "text": "fish, quiet", "origin": "log", "synthetic": False,
        "tags": ["head"], "frequency": 7, "source_doc": "",
    }  # fmt: skip
    (listed,) = run(capsys, folder)["sets"]
    assert listed == made["set"]
    assert main(["labels", "queries", str(folder), "--name", "mine"]) == 0
    assert "mine: 5 queries (noise 2" in capsys.readouterr().out


def test_a_plain_log_has_a_query_a_line_and_a_bad_number_is_named(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("dogs\t5\ncats\ncats\n")
    made = run(capsys, folder, "--name", "logged", "--log", str(log))
    assert {q["text"]: q["frequency"] for q in made["set"]["queries"]} == {"dogs": 5, "cats": 2}
    log.write_text("dogs\t5\ncats\tmany\n")
    assert "log.txt:2: 'many' is no frequency" in refused(
        capsys, folder, "--name", "logged", "--log", str(log)
    )
    csv = tmp_path / "log.csv"
    csv.write_text("a,b\n1,2\n")
    assert "no column of queries" in refused(capsys, folder, "--name", "x", "--log", str(csv))
    assert "There is no file" in refused(capsys, folder, "--name", "x", "--log", "nowhere.csv")
    assert "no name" in refused(capsys, folder, "--text", "dogs")


def test_queries_made_by_a_template_are_marked_as_synthetic(folder: Path, capsys: Captured) -> None:
    made = run(capsys, folder, "--name", "made", "--generate", "3")
    assert made["leaking"] + made["without_query"] + made["added"] == 3
    (query,) = [q for q in made["set"]["queries"] if q["source_doc"] == "long"]
    assert query["synthetic"] is True
    assert query["tags"] == ["synthetic"]
    assert len(query["text"].split()) == 3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeChat]:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def answer(question: Question) -> Reply:
        text = question.passages[0][1]
        if "Fish" in text:
            return Reply("Here is a query: quiet animals")
        query = text if "Cats" in text else "animals that keep me awake"
        return Reply(json.dumps({"reason": "x", "query": query}))

    with FakeChat(answer) as fake:
        yield fake


def test_queries_that_a_model_writes_are_read_strictly_and_copies_are_left_out(
    folder: Path, server: FakeChat, capsys: Captured
) -> None:
    words = ["--name", "llm", "--generate", "3", "--model", "m", "--base-url", server.url]
    assert "agreed" in refused(capsys, folder, *words)
    assert server.requests == []
    made = run(capsys, folder, *words, "--yes")
    assert (made["added"], made["leaking"], made["without_query"]) == (1, 1, 1)
    (query,) = made["set"]["queries"]
    assert (query["text"], query["origin"]) == ("animals that keep me awake", "llm")
    assert (query["source_doc"], query["synthetic"]) == ("long", True)
    asked = len(server.requests)
    run(capsys, folder, *words, "--yes")
    assert len(server.requests) - asked == 2  # only the answer that could not be used


def test_a_tagged_part_of_a_set_is_evaluated_alone(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    topics = tmp_path / "own.tsv"
    topics.write_text("id\ttext\nq1\tloud dogs\n")
    run(capsys, folder, "--name", "mine", "--file", str(topics), "--tag", "noise")
    run(capsys, folder, "--name", "mine", "--text", "cats purr", "--tag", "calm")
    ask = ["evaluate", str(folder), "-p", "bm25", "-m", "RR", "--json", "--query-set", "mine"]
    assert main([*ask, "--query-tag", "noise"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["results"][0]["queries"] == 1
    assert main([*ask, "--query-tag", "nothing"]) == 2
    assert "has the tag" in json.loads(capsys.readouterr().err)["message"]
    ask[-1] = "no such set"
    assert main(ask) == 2
    assert "Its sets: mine" in json.loads(capsys.readouterr().err)["hint"]

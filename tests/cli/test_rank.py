"""`rerank-lab rank`: the answers for programs and people, keys, costs and recordings."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import comparisons as saved
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from tests.cli.conftest import Calls, fail_json, run_json


def test_rank_gives_the_promised_json(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given", "as-given >> by-length(top=2)"]
    shown = run_json(capsys, "rank", str(folder), "loud dogs", "-p", *specs)

    first, second = shown["rankings"]
    assert [one["pipeline"] for one in shown["rankings"]] == specs
    assert first["scale"] == "count"
    assert first["hits"][0] == {"rank": 1, "doc_id": "short", "score": 3.0}
    assert [hit["doc_id"] for hit in second["hits"]] == ["long", "short", "other"]
    assert second["scale"] == "characters"
    assert second["hits"][2] == {"rank": 3, "doc_id": "other", "score": None}
    assert second["trace"]["compute_s"] > 0
    assert second["status"] == "ok"


def test_rank_for_people_shows_moves_grades_titles_and_the_scale(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    plugin: Calls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    specs = ["as-given >> by-length(top=2)", "as-given"]
    code = main(["rank", str(folder), " Loud dogs", "-p", specs[0], "-p", specs[1]])
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert lines[0] == specs[0]
    assert "3 documents" in lines[1]
    assert "score: characters" in lines[1]
    assert lines[2].startswith("   1  ▲1      42.000  [2]  long")
    assert lines[2].endswith("Dogs — Dogs bark at the moon all night long.")
    assert "▼1" in lines[3]
    assert "[0]" in lines[3]
    assert "=" in lines[4]
    assert specs[1] in lines
    assert "▲" not in "".join(lines[lines.index(specs[1]) :])


def test_rank_top_limits_the_hits(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    shown = run_json(capsys, "rank", str(folder), "x", "-p", "as-given", "-k", "2")
    assert len(shown["rankings"][0]["hits"]) == 2


def test_rank_answers_in_the_shapes_of_other_tools(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given >> by-length", "as-given >> mmr", "as-given >> faulty"]
    given = ["rank", str(folder), "loud dogs", "-p", *specs, "-k", "2", "--format"]

    assert main([*given, "rerankers"]) == 2
    shown = capsys.readouterr()
    first, second = [json.loads(line) for line in shown.out.splitlines()]
    assert (first["query"], first["has_scores"], second["has_scores"]) == ("loud dogs", True, False)
    assert [one["document"]["doc_id"] for one in first["results"]] == ["long", "short"]
    assert first["results"][0]["document"]["text"].startswith("Dogs Dogs bark")
    assert shown.err.count("error: ") == 1
    assert "no such luck" in shown.err

    assert main([*given, "cohere", "--json"]) == 2
    shown = capsys.readouterr()
    (only,) = [json.loads(line) for line in shown.out.splitlines()]
    assert [one["index"] for one in only["results"]] == [1, 0]
    kinds = [json.loads(line)["error"] for line in shown.err.splitlines()]
    assert kinds == ["invalid_input", "backend_error"]


def test_a_document_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, plugin: Calls
) -> None:
    file = tmp_path / "hostile.jsonl"
    text = "\x1b[2J\x1b]0;owned\x07 line\nbreak \u202e reversed"
    file.write_text(json.dumps({"id": "a", "text": text}) + "\n")

    assert main(["rank", str(file), "line", "-p", "as-given"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\u202e" not in out
    assert "break" in out


def test_a_failing_pipeline_leaves_the_others_and_exits_2(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given >> faulty", "as-given"]
    code = main(["rank", str(folder), "dogs", "-p", *specs, "--json"])
    shown = capsys.readouterr()
    broken, good = json.loads(shown.out)["rankings"]

    assert code == 2
    assert broken["hits"] == []
    assert broken["scale"] is None
    assert broken["error"]["error"] == "backend_error"
    assert len(good["hits"]) == 3
    error = json.loads(shown.err)
    assert "no such luck" in error["message"]
    assert "Traceback" not in shown.err
    assert main(["rank", str(folder), "dogs", "-p", *specs]) == 2
    people = capsys.readouterr()
    assert "error: The stage faulty failed" in people.err
    assert "hint: " in people.err
    assert "Traceback" not in people.err + people.out


def test_a_comparison_is_recorded_with_a_key_and_replayed_without(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    kept = tmp_path / "kept.jsonl"
    with FakeProvider("cohere") as server:
        asked = ("rank", str(folder), "loud dogs", "-p", f'bm25 >> cohere(base_url="{server.url}")')
        first = run_json(capsys, *asked, "--record", str(kept))
    monkeypatch.delenv("COHERE_API_KEY")
    monkeypatch.delenv("RERANK_LAB_ALLOW_PRIVATE_URLS")
    default_engine.cache_clear()
    again = run_json(capsys, *asked, "--replay", str(kept))
    assert again["rankings"][0]["hits"] == first["rankings"][0]["hits"]
    assert KEY.encode() not in kept.read_bytes()
    assert saved.find(saved.add(kept.read_bytes())) is not None
    other = fail_json(capsys, "rank", "helpdesk", "loud dogs", "-p", "bm25", "--replay", str(kept))
    assert "other documents" in other["message"]
    assert "both" in fail_json(capsys, *asked, "--record", "a", "--replay", "b")["message"]
    assert "cannot be read" in fail_json(capsys, *asked, "--replay", "no/such")["message"]


def test_a_pipeline_is_given_up_after_the_timeout(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with FakeProvider("cohere") as server:
        server.always = Switch(delay_s=3.0)
        spec = f'bm25 >> cohere(base_url="{server.url}")'
        start = time.monotonic()
        failed = fail_json(
            capsys, "rank", str(folder), "loud dogs", "-p", spec, "--timeout", "0.5", "--no-cache"
        )
        assert time.monotonic() - start < 2.5
    assert failed["error"] == "deadline_exceeded"


def test_a_spend_limit_stops_before_it_is_passed(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with FakeProvider("cohere") as server:
        spec = f'bm25 >> cohere(base_url="{server.url}",price=0.002)'
        told = fail_json(
            capsys, "rank", str(folder), "loud dogs", "-p", spec, "--spend-limit", "0.001"
        )
        assert told["error"] == "spend_limit"
        assert server.requests == []
        evaluated = ("evaluate", str(folder), "-p", spec, "--spend-limit", "0.003")
        shown = run_json(capsys, *evaluated)["results"][0]
        assert len(server.requests) == 1
        assert shown["status"]["failed"] == 1
        assert main([*evaluated[:4], "--no-cache"]) == 0
        assert "asks for up to 2 requests, about 2 search units" in capsys.readouterr().err
    wrong = fail_json(capsys, "rank", str(folder), "x", "-p", "bm25", "--spend-limit", "-1")
    assert "not an amount of 0 or more" in wrong["message"]

"""`--columns`, `--encoding`, `--format` and `--strict`, and what is told of how files were read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.corpora import load_corpus
from tests.cli.conftest import fail_json, run_json

RUN = "q1 Q0 long 1 2.5 tag\nq1 Q0 short 2 1.5 tag\n"


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> str:
    (folder / name).write_bytes(text.encode(encoding))
    return str(folder / name)


def test_measure_takes_the_columns_that_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    qrels = written(tmp_path, "q.csv", "qid,docid,rating,score\nq1,long,0,1\nq1,short,1,0\n")
    run = written(tmp_path, "run.csv", "topic,docno,bm25,dense\nq1,long,1,9\nq1,short,2,3\n")
    given = ["measure", qrels, run, "-m", "RR", "--columns"]

    guessed = run_json(capsys, *given, "run.score=dense")
    assert guessed["judgments"]["columns"]["grade"] == "rating"
    assert guessed["run"]["columns"] == {"query": "topic", "document": "docno", "score": "dense"}
    assert guessed["measures"]["RR"] == 0.5
    chosen = run_json(capsys, *given, "grade=score,run.score=dense")
    assert chosen["judgments"]["columns"]["grade"] == "score"
    assert chosen["measures"]["RR"] == 1.0
    other = run_json(capsys, *given, "grade=score", "--columns", "run.score=bm25")
    assert other["measures"]["RR"] == 0.5


def test_measure_says_what_was_read_and_what_was_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    qrels = written(tmp_path, "q.csv", "qid,docid,label\nq1,long,1\nq1,long,1\n\nq2,,\n")
    run = written(tmp_path, "run.txt", "# my run\n" + RUN)

    answer = run_json(capsys, "measure", qrels, run, "-m", "RR")
    judgments = answer["judgments"]
    counts = [judgments[name] for name in ("lines", "rows", "repeated", "unrated", "left_out")]
    assert counts == [5, 1, 1, 1, 0]
    assert judgments["tallies"] == {"lines": 5, "header lines": 1, "empty lines": 1}
    assert answer["run"]["tallies"] == {"lines": 3, "comment lines": 1}
    assert answer["run"]["label"] == "TREC run"
    assert any("without a grade" in problem["message"] for problem in answer["problems"])
    assert main(["measure", qrels, run, "-m", "RR"]) == 0
    text = capsys.readouterr().out
    assert "run.txt: read as TREC run: 2 places of 1 query from 3 lines (1 comment line)" in text


def test_a_format_and_an_encoding_of_one_file_are_taken(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    qrels = written(folder.parent, "judged.txt", "1 qid:q1 # long\n1 qid:q2 # short\n", "utf-16-le")
    asked = ["evaluate", str(folder), "-p", "bm25", "-m", "RR", "--qrels", qrels]
    answer = run_json(capsys, *asked, "--encoding", "qrels=utf-16-le", "--format", "qrels=letor")
    assert answer["readings"][-1]["format"] == "letor"
    assert answer["files"][0]["columns"] == {"id": "_id", "text": "text", "title": "title"}
    error = fail_json(capsys, *asked, "--format", "qrels=nonsense")
    assert "letor" in error["hint"]
    error = fail_json(capsys, *asked, "--columns", "colour=label")
    assert "qrels.grade" in error["hint"]


def test_strict_makes_any_loss_an_error(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    qrels = written(folder.parent, "q.tsv", "q1\tlong\t2\nq1\tlost\t1\nq2\tshort\t1\n")
    asked = ["evaluate", str(folder), "-p", "bm25", "-m", "RR", "--qrels", qrels]
    answer = run_json(capsys, *asked)
    assert "1 of 3 judged documents are not in the corpus" in answer["problems"][0]["message"]
    assert "lost" in fail_json(capsys, *asked, "--strict")["problems"][0]
    asked[0:2] = ["corpora", "import", str(folder), "--name", "mine"]
    given = ["corpora", "import", str(folder), "--name", "mine", "--qrels", qrels]
    assert "lost" in fail_json(capsys, *given, "--strict")["problems"][0]
    both = written(folder.parent, "both.csv", "qid,docid,label,rating\nq1,long,1,0\n")
    run = written(folder.parent, "run.txt", RUN)
    assert main(["measure", both, run, "-m", "RR"]) == 0
    assert "'rating' could be it" in capsys.readouterr().out
    error = fail_json(capsys, "measure", both, run, "-m", "RR", "--strict")
    assert "'rating' could be it" in error["problems"][0]


def test_import_tells_of_every_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    queries = written(folder.parent, "queries.csv", "nr,frage\nq1,loud dogs\nq2,what purrs\n")
    given = ["corpora", "import", str(folder / "corpus.jsonl"), "--name", "mine"]
    files = ["--queries", queries, "--qrels", str(folder / "qrels.tsv")]
    columns = ["--columns", "id=_id,queries.id=nr,queries.text=frage"]
    assert main([*given, *files, *columns]) == 0
    text = capsys.readouterr().out
    assert "corpus.jsonl: read as JSON lines: 3 documents from 3 lines; columns: id = _id" in text
    assert "queries.csv: read as CSV or TSV (id = nr, text = frage): 2 queries from 3" in text
    assert "qrels.tsv: read as CSV or TSV (query = query-id" in text
    assert [query.id for query in load_corpus("mine").queries] == ["q1", "q2"]
    report = run_json(capsys, *given, *files, *columns, "--replace")
    assert [reading["what"] for reading in report["readings"]] == ["queries", "judgments"]


def test_candidates_of_rank_llm_are_a_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record = {
        "query": {"text": "loud dogs", "qid": "q1"},
        "candidates": [
            {"docid": "short", "score": 2.0, "doc": {"text": "Cats purr."}},
            {"docid": "long", "score": 3.5, "doc": {"text": "Dogs bark."}},
        ],
    }
    run = written(tmp_path, "reranked.jsonl", json.dumps(record) + "\n")
    qrels = written(tmp_path, "qrels.txt", "q1 0 long 1\n")
    answer = run_json(capsys, "measure", qrels, run, "-m", "RR")
    assert answer["measures"]["RR"] == 1.0
    assert answer["run"]["label"] == "queries with ranked candidates"
    assert answer["run"]["rows"] == 2


def test_options_without_their_file_are_refused(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    asked = ["evaluate", "helpdesk", "-p", "bm25", "-m", "RR"]
    error = fail_json(capsys, *asked, "--encoding", "cp1252")
    assert "helpdesk is no file" in error["message"]
    error = fail_json(capsys, *asked, "--columns", "grade=label")
    assert "--qrels FILE" in error["hint"]

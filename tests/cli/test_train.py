"""`rerank-lab train`: from the command line to a model that the other commands use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.fusion.learned.store import load_model
from tests.fusion.learned.made import corpus

GIVEN = ("-p", "bm25 >> ltr(bm25,overlap)", "--name", "mine", "--rounds", "20")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The made-up corpus in BEIR's layout."""
    whole, made = corpus(), tmp_path / "made"
    made.mkdir()
    documents = [
        {"_id": doc.id, "title": doc.title, "text": doc.text, "metadata": dict(doc.meta)}
        for doc in whole.documents
    ]
    queries = [{"_id": query.id, "text": query.text} for query in whole.queries]
    qrels = [f"{q}\t{d}\t{g}" for q, grades in whole.qrels.items() for d, g in grades.items()]
    (made / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (made / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (made / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *qrels]))
    return str(made)


def test_train_for_people_says_what_validation_found(
    capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    assert main(["train", folder, *GIVEN]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(("Yes: together", "Not shown: together", "No: "))
    assert "24 queries that it did not see" in shown
    assert "share of gain" in shown
    assert 'use it as: bm25 >> ltr(bm25,overlap,model="mine")' in shown


def test_train_as_json_and_the_model_in_use(
    capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    assert main(["train", folder, *GIVEN, "--learner", "xgboost", "--folds", "3", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    model = shown["model"]
    assert model["settings"]["learner"] == "xgboost"
    assert len(model["validation"]["folds"]) == 3
    assert sum(one["gain"] for one in model["importances"]) == pytest.approx(1)
    assert isinstance(model["trees"], int)
    assert main(["rank", folder, "topic3", "-p", shown["pipeline"]]) == 0
    assert "note: The model mine was trained on this query" in capsys.readouterr().out
    assert main(["evaluate", folder, "-p", shown["pipeline"], "-m", "nDCG@10"]) == 0
    assert "trained on this query" in capsys.readouterr().out


def test_a_limit_takes_the_first_queries_that_can_teach(
    capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    assert main(["train", folder, *GIVEN, "--limit", "12", "--json"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert model["origin"]["query_ids"] == [f"q{number}" for number in range(12)]


def test_a_model_is_not_replaced_unless_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    assert main(["train", folder, *GIVEN]) == 0
    before = load_model("mine")
    capsys.readouterr()
    assert main(["train", folder, *GIVEN, "--seed", "5", "--json"]) == 2
    error = json.loads(capsys.readouterr().err)
    assert "a trained model 'mine' already" in error["message"]
    assert "--replace" in error["hint"]
    assert load_model("mine") == before
    assert main(["train", folder, *GIVEN, "--seed", "5", "--replace"]) == 0
    assert load_model("mine").settings.seed == 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("-p", "bm25"), "learned fusion"),
        (("--name", "../up"), "name of a model"),
        (("--folds", "40"), "40 folds"),
        (("--leaves", "1"), "cannot train"),
        (("--learner", "ranknet"), "invalid choice"),
        (("--limit", "9"), "Only 9 of 9 judged queries"),
    ],
)
def test_what_cannot_be_trained_is_one_json_line(
    capsys: pytest.CaptureFixture[str], folder: str, change: tuple[str, str], told: str
) -> None:
    assert main(["train", folder, *GIVEN, *change, "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert told in json.loads(line)["message"]
    assert json.loads(line)["hint"]

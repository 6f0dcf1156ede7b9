"""`rerank-lab choose`: the same decision as on the page."""

from __future__ import annotations

import json

import pytest

from rerank_lab.cli import main
from rerank_lab.evaluation.experiments import load_experiment
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.decide import decide
from rerank_lab.views.choose import LimitChoices
from tests.cli.conftest import fail_json


@pytest.fixture
def experiment(capsys: pytest.CaptureFixture[str]) -> str:
    """The id of an evaluation of two pipelines on a few queries."""
    from rerank_lab.corpora import load_corpus
    from rerank_lab.evaluation.experiments import evaluate

    corpus = load_corpus("helpdesk")
    return evaluate(
        corpus, ["bm25", "bm25 >> overlap"], queries=corpus.queries[:8], measures=["RR@10"]
    ).id


def test_the_numbers_are_those_of_the_page(
    capsys: pytest.CaptureFixture[str], experiment: str
) -> None:
    limits = ["--p95", "10s", "--licence", "open", "--local", "--no-gpu", "--memory", "1GB"]
    terms = ["--price", "2", "--usd-per-hour", "0.01", "--queries-per-month", "100000"]
    capsys.readouterr()
    main(["choose", experiment, *limits, *terms, "--languages", "de", "en", "--json"])
    printed = json.loads(capsys.readouterr().out)
    choices = LimitChoices(
        "RR@10", 0.02, "10 s", 2.0, "Open source", ("German", "English"), True, True, "1 GB",
        100_000, 0.01,
    )  # fmt: skip
    page = decide(load_experiment(experiment), default_engine(), choices.required)
    assert printed["contenders"] == json.loads(json.dumps(page.to_json()["contenders"]))
    assert printed["comparisons"] == json.loads(json.dumps(page.to_json()["comparisons"]))
    assert printed["pipeline"] == page.pipeline
    assert printed["headline"]


def test_who_fell_is_printed_with_the_reason(
    capsys: pytest.CaptureFixture[str], experiment: str
) -> None:
    capsys.readouterr()
    assert main(["choose", experiment, "--price", "0.5"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("No pipeline meets all of these requirements.")
    assert "bm25 fell:" in text
    assert "Missing: the price of an hour of your hardware." in text


def test_what_cannot_be_read_is_refused(
    capsys: pytest.CaptureFixture[str], experiment: str
) -> None:
    assert "300 is not a time" in fail_json(capsys, "choose", experiment, "--p95", "300")["message"]
    wrong = fail_json(capsys, "choose", experiment, "--languages", "Klingon")
    assert "ISO 639-1" in wrong["message"]
    assert "did not measure" in fail_json(capsys, "choose", experiment, "-m", "AP")["message"]

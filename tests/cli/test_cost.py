"""`rerank-lab cost`."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import plan, run
from rerank_lab.services.cost import cost_study
from tests.cli.conftest import fail_json, run_json

COHERE = 'bm25 >> cohere(model="rerank-v3.5",top=2)'


def test_pipelines_on_a_corpus_by_dated_and_typed_prices(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ("cost", str(folder), "-p", COHERE, "bm25 >> overlap", "--queries-per-month", "1000000")
    hosted, own = run_json(capsys, *call)["costs"]
    assert (hosted["usd_per_thousand"], hosted["as_of"]) == (2.0, "2026-04-01")
    assert hosted["left_out"]
    assert own["usd_per_thousand"] is None
    assert "price of an hour" in own["unknown"][-1]
    typed = ("--price", "rerank-v3.5=0.01", "--usd-per-hour", "1", "--capacity", "2")
    hosted, own = run_json(capsys, *call, *typed)["costs"]
    assert hosted["usd_per_thousand"] == pytest.approx(10 + 0.73)
    assert own["usd_per_thousand"] == pytest.approx(0.73)
    assert main([*call, *typed]) == 0
    assert "is cheaper than" in capsys.readouterr().out


def test_an_experiment_is_reckoned_by_its_own_times_and_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = plan(load_corpus(str(folder)), ["bm25"])
    run(experiment)
    answer = run_json(
        capsys, "cost", str(folder), "--experiment", experiment.id, "--usd-per-hour", "0.5"
    )
    assert answer["costs"][0]["usd_per_month"] == pytest.approx(365)
    kept = cost_study(experiment.id)
    assert kept is not None
    assert kept.terms.usd_per_hour == 0.5
    assert kept.costs[0].capacity.source == "evaluation"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "experiment"),
        (("-p", "bm25", "--price", "cohere=much"), "MODEL=USD"),
        (("-p", "bm25", "--peak", "0.5"), "1 or more"),
    ],
)
def test_what_cannot_be_reckoned_is_said(
    folder: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_json(capsys, "cost", str(folder), *more)
    assert message in error["message"] + error["hint"]

"""Results in a notebook: short in print, tables as HTML with every text escaped, frames."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.results import Result, StageResult
from rerank_lab.services.comparisons.value import Comparison, Header, SavedColumn
from tests.views import evaluations
from tests.views.reports import evidence_of

ROOT = Path(__file__).parent.parent
HOSTILE = "<script>alert(1)</script>"


def test_the_examples_of_the_guide_run() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text("utf-8")
    corpus = load_corpus("helpdesk")
    values: dict[str, Any] = {
        "FEW": corpus.with_judgments(corpus.queries[:6], corpus.qrels, corpus.basis)
    }
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code.replace('rl.load_corpus("helpdesk")', "FEW"), values)
    evaluation = values["evaluation"]
    frame = evaluation.to_frame()
    assert list(frame.index) == ["bm25", "bm25 >> overlap"]
    assert frame.loc["bm25", "nDCG@10"] == evaluation.outcomes[0].measures["nDCG@10"]
    assert {"difference", "low", "high", "p_holm", "p95_s"} <= set(frame.columns)
    queries = evaluation.query_frame()
    assert queries["RR@10"].groupby("pipeline").mean().loc["bm25"] == pytest.approx(
        evaluation.outcomes[0].measures["RR@10"]
    )
    decision = values["decision"].to_frame()
    assert decision.loc["bm25", "p95_s"] > 0
    assert decision["usd_per_1000"].isna().all()


def small() -> Evaluation:
    return evaluations.evaluation({"bm25": [2, 1, None], "bm25 >> identity": [1, 1, 1]})


def test_results_print_in_a_line() -> None:
    evaluation = small()
    assert repr(evaluation) == (
        "Evaluation('hand made', 3 queries; RR@10: bm25 0.7500, bm25 >> identity 1.0000)"
    )
    ranking = Ranking.from_scores("q", {f"d{n}": float(n) for n in range(9)}, "bm25")
    assert str(ranking) == "Ranking('q', 9 documents by bm25: d8, d7, d6, d5, d4, ...)"
    assert len(repr(evidence_of(evaluation).decision)) < 120


def test_tables_escape_what_comes_from_outside() -> None:
    ranking = Ranking.from_scores(HOSTILE, {HOSTILE: 1.5}, "bm25")
    stage = StageResult(Node("bm25"), Status.OK, ranking=ranking)
    result = Result("bm25", Query("q", HOSTILE), (stage,), ranking)
    failed = Result(
        "bm25", Query("q", "x"),
        (StageResult(Node("bm25"), Status.FAILED, error=ModelUnavailable(HOSTILE, hint="")),), None,
    )  # fmt: skip
    header = Header("t", "", HOSTILE, "", 1, Query("q", HOSTILE), 10, 3, ("bm25", "dense"))
    saved = Comparison(header, (SavedColumn("bm25", result), SavedColumn("dense")))
    evaluation = small()
    for one in (ranking, result, failed, saved, evaluation, evidence_of(evaluation).decision):
        page = one._repr_html_()  # type: ignore[attr-defined]
        assert "<script" not in page
        assert "<table>" in page or one is failed
        assert len(repr(one)) < 300
    assert "0.7500" in evaluation._repr_html_()
    assert list(saved.to_frame()["bm25"]) == [HOSTILE]
    assert list(ranking.to_frame().iloc[0]) == [1, HOSTILE, 1.5]

"""The question about small changes below the results of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import plan, run
from rerank_lab.evaluation.robustness.study import (
    STUDY_KIND,
    PerturbationEffect,
    PerturbedExample,
    PipelineRobustness,
    RankMovement,
    RobustnessStudy,
)
from rerank_lab.evaluation.studies import save_study
from tests.ui import pages
from tests.ui.pages import open_page, words

HOSTILE = "<img src=x onerror=alert(1)> **rank me**"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def test_a_kept_study_is_shown_and_hostile_documents_stay_text() -> None:
    corpus = load_corpus("helpdesk")
    experiment = plan(corpus, ["bm25"], queries=corpus.queries[:5], measures=["nDCG@10"])
    run(experiment)
    example = PerturbedExample("q", HOSTILE, HOSTILE, "d", HOSTILE, HOSTILE, 40, 1, 0.5, 0.1)
    effect = PerturbationEffect(
        "negation", 5, 0, 0, None, RankMovement(0.0, 1.0, 1.0, 0.0), examples=(example,)
    )
    pipeline = PipelineRobustness(experiment.design.pipelines[0], (effect,))
    study = RobustnessStudy("helpdesk", "", "nDCG@10", 0, ("q",), 50, ("negation",), (pipeline,))
    save_study(experiment.id, STUDY_KIND, {}, study.to_json())
    at = open_page("evaluate", exp=experiment.id, question="robustness", p=["bm25"])
    assert not at.exception
    assert "the same document stays first: bm25 in 100% of the queries" in words(at).replace(
        "\\", ""
    ).replace("\u2060", "")
    html = "".join(str(part.value) for part in at.html)
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html
    assert "40 → 1" in html
    assert "all 5" in [option for box in at.selectbox for option in box.options]

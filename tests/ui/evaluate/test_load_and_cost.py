"""Evaluate's questions about load and cost, opened by a link."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import plan, run
from rerank_lab.evaluation.load.study import LOAD, LoadStep, LoadStudy, Percentile
from rerank_lab.evaluation.studies import save_study
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services.cost import cost_study
from tests.ui import pages
from tests.ui.pages import drawn, open_page, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def test_a_study_is_shown_and_its_capacity_decides_the_price_that_is_kept() -> None:
    corpus = load_corpus("helpdesk")
    experiment = plan(
        corpus, ["bm25", "bm25 >> cohere"], queries=corpus.queries[:4], measures=["nDCG@10"]
    )
    run(experiment)
    p95 = Percentile(0.25, 0.2, 0.4)
    step = LoadStep(
        5.0, 20.0, 100, 100, 0, 0, 10, 0.1, p95, p95, p95, 0.02, 0.6, 0.0002, 5.0, 50.0, 0.0,
        (0.1, 0.25),
    )  # fmt: skip
    bm25 = experiment.design.pipelines[0]
    study = LoadStudy(bm25, "helpdesk", 5.0, 20.0, 1, "poisson", 0, (step,))
    save_study(experiment.id, LOAD, {}, study.to_json(), default_engine().home)

    at = open_page("evaluate", exp=experiment.id, question="load")
    text = words(at).replace("\\", "")
    assert "95 % within 0.25 s [0.20 s, 0.40 s]" in text
    assert at.query_params["load_of"] == bm25
    at.selectbox(key=f"load_pipeline_{experiment.id}").set_value(experiment.design.pipelines[1])
    text = words(drawn(at)).replace("\\", "")
    assert "asks a provider for each query: 100 at the rate above" in text
    assert "95 % within" not in text

    at.session_state[f"question_{experiment.id}"] = "cost"
    assert "$2.00 for 1,000 queries" in words(drawn(at)).replace("\\", "")
    at.number_input(key=f"cost_hour_{experiment.id}").set_value(0.5)
    text = words(drawn(at)).replace("\\", "")
    assert "bm25 costs $3.65 for 1,000 queries" in text
    assert at.query_params["usd_an_hour"] == "0.5"
    at.button(key=f"cost_keep_{experiment.id}").click()
    drawn(at)
    kept = cost_study(experiment.id, default_engine().home)
    assert kept is not None
    assert kept.terms.usd_per_hour == 0.5
    assert kept.costs[0].capacity.queries_per_s == 5.0

"""What the pipelines of an evaluation cost, and how fast they are, from what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.cost import CostTerms, TypedCapacity, TypedPrice
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.evaluation.experiments import Cell, Design, Evaluation, score
from rerank_lab.evaluation.load.study import LoadStep, LoadStudy, Percentile
from rerank_lab.pipeline.engine import Engine
from rerank_lab.rerankers.hosted.base import HostedReranker
from rerank_lab.services.cost import pipeline_costs

LOCAL = "bm25(k=150) >> overlap(top=100)"
COHERE = 'bm25(k=150) >> cohere(model="rerank-v3.5",top=150)'
UNPRICED = 'bm25(k=150) >> cohere(model="rerank-v5.0-pro",top=50)'
QUERIES = tuple(Query(f"q{n}", f"question {n}") for n in range(40))
CORPUS = Corpus("small", tuple(Document(f"d{n}", f"text {n}") for n in range(150)), QUERIES)


def evaluation(*specs: str, status: Status = Status.OK, corpus: Corpus = CORPUS) -> Evaluation:
    design = Design("0123456789abcdef", corpus.name, corpus.content_hash, specs, QUERIES, {}, ())
    ids = [doc.id for doc in corpus.documents]
    cells = [
        Cell(q.id, spec, status, Ranking.from_order(q.id, ids), Trace(compute_s=(1 + n) / 100))
        for spec in specs
        for n, q in enumerate(QUERIES)
    ]
    return score(design, cells)


def test_a_hosted_pipeline_costs_its_dated_price_of_the_candidates_it_is_given(
    tmp_path: Path,
) -> None:
    terms = CostTerms(queries_per_month=1000, usd_per_hour=0.0)
    costs = pipeline_costs(evaluation(COHERE, UNPRICED), Engine(tmp_path), terms, corpus=CORPUS)
    cohere = costs[COHERE]
    assert cohere.usd_per_thousand == pytest.approx(2 * 2.0)  # 150 documents are two units
    assert (cohere.as_of, cohere.candidates) == ("2026-04-01", 150)
    assert costs[UNPRICED].usd_per_thousand is None
    assert costs[UNPRICED].unknown == ("the price of rerank-v5.0-pro",)
    typed = replace(terms, prices=(TypedPrice("rerank-v5.0-pro", "price", 0.003),))
    again = pipeline_costs(evaluation(UNPRICED), Engine(tmp_path), typed, corpus=CORPUS)
    assert again[UNPRICED].usd_per_thousand == pytest.approx(3.0)
    assert again[UNPRICED].providers[0].source == "typed"


def test_without_the_documents_what_providers_bill_is_unknown(tmp_path: Path) -> None:
    terms = CostTerms(usd_per_hour=0.0)
    cost = pipeline_costs(evaluation(COHERE), Engine(tmp_path), terms)[COHERE]
    assert cost.usd_per_thousand is None
    assert "documents" in cost.unknown[0]


def test_a_pipeline_that_failed_for_want_of_a_key_has_a_price_all_the_same(tmp_path: Path) -> None:
    design = evaluation(COHERE).design
    failed = score(design, [Cell(query.id, COHERE, Status.FAILED) for query in QUERIES])
    cost = pipeline_costs(failed, Engine(tmp_path), corpus=CORPUS)[COHERE]
    assert cost.usd_per_thousand == pytest.approx(4.0)


def test_a_price_in_another_currency_is_not_taken_for_dollars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    euros = CostEstimate(1, 1.0, "calls", 0.01, "EUR", "2026-01-01")
    monkeypatch.setattr(HostedReranker, "cost_estimate", lambda *_: euros)
    cost = pipeline_costs(evaluation(COHERE), Engine(tmp_path), corpus=CORPUS)[COHERE]
    assert cost.usd_per_thousand is None
    assert cost.unknown == ("the price of rerank-v3.5 in USD: it is listed in EUR",)


def test_own_hardware_counts_by_what_was_measured_on_it(tmp_path: Path) -> None:
    engine, terms = Engine(tmp_path), CostTerms(queries_per_month=100_000, usd_per_hour=0.5)
    plain = pipeline_costs(evaluation(LOCAL), engine, terms)[LOCAL]
    assert plain.capacity.source == "evaluation"
    assert plain.capacity.queries_per_s == pytest.approx(1 / 0.205)
    assert plain.usd_per_thousand == pytest.approx(3.65)
    study = load_study(p95=0.25)
    assert pipeline_costs(evaluation(LOCAL), engine, terms, load_studies=[study])[
        LOCAL
    ].capacity.queries_per_s == pytest.approx(7.5)
    typed = replace(terms, capacities=(TypedCapacity(LOCAL, 3.0),))
    of_user = pipeline_costs(evaluation(LOCAL), engine, typed, load_studies=[study])[LOCAL]
    assert (of_user.capacity.queries_per_s, of_user.capacity.source) == (3.0, "typed")
    cached = pipeline_costs(evaluation(LOCAL, status=Status.CACHED), engine, terms)[LOCAL]
    assert cached.usd_per_thousand is None
    assert "none was timed" in cached.unknown[0]
    assert pipeline_costs(evaluation(LOCAL), engine)[LOCAL].unknown == (
        "the price of an hour of your hardware",
    )


def load_study(p95: float) -> LoadStudy:
    latency = Percentile(p95, p95 - 0.01, p95 + 0.01)
    step = LoadStep(
        5.0, 20.0, 100, 100, 0, 0, 10, 0.1, latency, latency, latency, 0.01, 0.5, 0.0, 5.0, 0.0, 0.0
    )
    return LoadStudy(LOCAL, "small", 5.0, 20.0, 2, "poisson", 0, (step,), bound=0.3, sustained=7.5)


def test_p95_comes_from_the_newest_load_study_else_from_the_evaluation() -> None:
    alone = pipeline_latency(evaluation(LOCAL), LOCAL)
    assert alone.source == "evaluation"
    assert alone.p95 == pytest.approx(0.3805)
    assert alone.low is not None
    assert alone.low < alone.p95
    assert alone.high is None  # 40 times cannot bound a 95th percentile from above
    newest = pipeline_latency(evaluation(LOCAL), LOCAL, [load_study(0.25), load_study(0.9)])
    assert (newest.source, newest.p95, newest.rate, newest.workers) == ("load", 0.25, 5.0, 2)
    cached = pipeline_latency(evaluation(LOCAL, status=Status.CACHED), LOCAL)
    assert cached.p95 is None
    assert "score cache" in cached.why


def test_a_study_comes_back_as_it_was_written() -> None:
    study = load_study(0.25)
    assert LoadStudy.from_json(study.to_json()) == study


@pytest.mark.parametrize("spec", ["their system", 'run(path="their.trec")'])
def test_the_run_of_another_system_has_a_price_that_nobody_knows(spec: str, tmp_path: Path) -> None:
    cost = pipeline_costs(evaluation(spec), Engine(tmp_path))[spec]
    assert cost.usd_per_thousand is None
    assert "another system" in cost.unknown[0]

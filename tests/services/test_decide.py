"""From an evaluation and what a team can accept to a pipeline, or to what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.comparisons import ComparedPair
from rerank_lab.decision.cost import CostStudy, CostTerms
from rerank_lab.decision.requirements import Requirements
from rerank_lab.decision.wording import headline, reasons
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.cost import keep
from rerank_lab.services.decide import compared, decide, kept_terms
from tests.decision.timed import timed
from tests.views.evaluations import evaluation

BM25, L12, SLOW = "bm25", "bm25 >> ms-marco-minilm-l12", "bm25 >> bge-reranker-v2-m3"
NAMES = {BM25: "bm25", L12: "l12", SLOW: "m3"}
CLEAR = timed({BM25: [4] * 40, L12: [1] * 36 + [5] * 4}, {BM25: 0.002, L12: 0.3})
ALIKE = timed({BM25: [2, 1] * 10, L12: [1, 2] * 9 + [1, 1]}, {BM25: 0.002, L12: 0.3})


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_the_better_one_is_taken_with_its_lead_its_time_and_how_sure_that_is(
    engine: Engine,
) -> None:
    decision = decide(CLEAR, engine)
    assert (decision.verdict, decision.pipeline) == ("recommended", L12)
    assert headline(decision, NAMES) == "Take l12."
    against, costs = reasons(decision, NAMES)
    assert against.startswith("+0.670 RR@10 [+0.")
    assert against.endswith("against bm25: shown to be better (p < 0.001).")
    assert costs == "It answers 95 of 100 queries within 311 ms."


def test_what_only_counts_decides_nothing(engine: Engine) -> None:
    both = evaluation({BM25: [4] * 9, L12: [1] * 9}, measures=("NumRet", "RR@10"))
    assert both.measures_of_quality == ("RR@10",)
    assert decide(both, engine).measure == "RR@10"
    with pytest.raises(InvalidInput, match="NumRet counts documents; it does not say which"):
        decide(both, engine, Requirements("NumRet"))


def test_a_limit_makes_a_pipeline_fall_with_the_reason_in_words(engine: Engine) -> None:
    decision = decide(CLEAR, engine, Requirements(p95=0.1))
    assert decision.pipeline == BM25
    (fallen,) = decision.fallen
    assert fallen.pipeline == L12
    assert [one.sentence for one in fallen.unmet] == ["p95 is 311 ms, above 100 ms"]
    assert "only pipeline that meets the requirements" in reasons(decision, NAMES)[0]


def test_no_pipeline_is_left(engine: Engine) -> None:
    decision = decide(CLEAR, engine, Requirements(p95=0.001))
    assert (decision.verdict, decision.pipeline, len(decision.fallen)) == ("none", "", 2)
    assert headline(decision, NAMES) == "No pipeline meets all of these requirements."


def test_too_close_to_call_is_said_with_what_would_decide(engine: Engine) -> None:
    decision = decide(ALIKE, engine)
    assert decision.verdict == "undecided"
    assert headline(decision, NAMES) == "The data cannot decide between l12 and bm25."
    judgments, queries = decision.steps
    assert queries.count is not None
    assert queries.count > 20
    assert (judgments.kind, judgments.count) == ("judgments", 20 * 9)
    against, costs = reasons(decision, NAMES)
    assert against.startswith("l12: +0.025 RR@10 [")
    assert "against bm25: too close to call (p = " in against
    assert costs.startswith("l12 answers 95 of 100 queries within ")


def test_a_difference_that_does_not_matter_leaves_the_faster_one(engine: Engine) -> None:
    decision = decide(ALIKE, engine, Requirements(margin=0.5))
    assert (decision.verdict, decision.pipeline) == ("recommended", BM25)
    assert reasons(decision, NAMES)[0].endswith(
        "against l12: shown not to be worse by more than 0.5, and not slower."
    )
    # By the same margin the slower one is dominated, which never hides it.
    assert decision.contender(L12).dominated_by == (BM25,)
    assert decision.contender(L12).remains


def test_equal_pipelines_are_not_dominated_without_proof_of_speed(engine: Engine) -> None:
    equal = timed({BM25: [1] * 9, L12: [1] * 9}, {BM25: 0.1, L12: 0.1})
    assert [one.dominated_by for one in decide(equal, engine).contenders] == [(), ()]


def test_a_price_that_nobody_knows_does_not_pass_a_limit_on_it(engine: Engine) -> None:
    unknown = decide(CLEAR, engine, Requirements(price=2))
    assert [one.unmet[0].known for one in unknown.fallen] == [False, False]
    assert unknown.fallen[0].unmet[0].sentence == (
        "its price is not known. Missing: the price of an hour of your hardware."
    )
    terms = CostTerms(queries_per_month=1_000_000, usd_per_hour=1.0)
    typed = decide(CLEAR, engine, Requirements(price=2, terms=terms))
    assert typed.pipeline == L12
    assert "costs 0.73 USD for 1,000 queries" in reasons(typed, NAMES)[1]
    dear = decide(CLEAR, engine, Requirements(price=0.5, terms=terms))
    assert dear.fallen[0].unmet[0].sentence == "1,000 queries cost 0.73 USD, above 0.5 USD"


@pytest.mark.parametrize(
    ("required", "sentence"),
    [
        (Requirements(languages=("de",)), "its models were not made for German (but for English)"),
        (Requirements(memory=10_000_000), "its models take 34 MB, above 10 MB"),
    ],
)
def test_facts_of_the_catalogue_rule_out(
    engine: Engine, required: Requirements, sentence: str
) -> None:
    (fallen,) = decide(CLEAR, engine, required).fallen
    assert [one.sentence for one in fallen.unmet] == [sentence]


def test_data_stays_in_the_house_and_licences_are_open(engine: Engine) -> None:
    hosted, closed = "bm25 >> cohere", "bm25 >> jina-reranker-v3"
    both = timed(
        {BM25: [1] * 5, hosted: [1] * 5, closed: [1] * 5},
        dict.fromkeys((BM25, hosted, closed), 0.1),
    )
    local = decide(both, engine, Requirements(local=True))
    assert reasons_of(local) == {hosted: ["it sends texts to Cohere"]}
    opened = decide(both, engine, Requirements(licence="open"))
    assert set(reasons_of(opened)) == {hosted, closed}
    commercial = reasons_of(decide(both, engine, Requirements(licence="commercial")))
    assert list(commercial) == [closed]
    assert "forbids commercial use" in commercial[closed][0]


def reasons_of(decision: PipelineDecision) -> dict[str, list[str]]:
    return {one.pipeline: [why.sentence for why in one.unmet] for one in decision.fallen}


def test_no_requirement_changes_a_p_value(engine: Engine) -> None:
    three = timed(
        {BM25: [4] * 20, L12: [1] * 16 + [4] * 4, SLOW: [2] * 20}, {BM25: 0.1, L12: 0.2, SLOW: 0.3}
    )
    every = {pair(one): one.paired.p_holm for one in decide(three, engine).comparisons}
    two = decide(three, engine, Requirements(p95=0.25)).comparisons
    assert len(two) == 1
    assert all(every[pair(one)] == one.paired.p_holm for one in two)


def test_a_pipeline_that_answered_nothing_falls_for_that(engine: Engine) -> None:
    broken = timed({BM25: [1] * 6, L12: [None] * 6}, {BM25: 0.1, L12: 0.1})
    (fallen,) = decide(broken, engine).fallen
    assert fallen.unmet[0].name == "quality"
    assert not fallen.unmet[0].known


def test_it_is_written_as_json_with_who_remains(engine: Engine) -> None:
    written = json.loads(json.dumps(decide(CLEAR, engine, Requirements(p95=0.1)).to_json()))
    assert written["remaining"] == [BM25]
    assert written["contenders"][1]["unmet"][0]["name"] == "p95"
    assert written["required"]["p95"] == 0.1


def test_a_measure_that_was_not_measured_is_named(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="did not measure 'R@5'"):
        decide(CLEAR, engine, Requirements(measure="R@5"))


def test_an_evaluation_without_judgments_decides_nothing(engine: Engine) -> None:
    plain: Evaluation = timed({BM25: [], L12: []}, {BM25: 0.1, L12: 0.1})
    assert decide(plain, engine).verdict == "none"


def pair(one: ComparedPair) -> tuple[str, str]:
    return one.paired.a, one.paired.b


def test_one_requirement_too_many_is_named(engine: Engine) -> None:
    none = decide(CLEAR, engine, Requirements(p95=0.001, languages=("de",)))
    (step,) = none.steps
    assert step.sentence == "Without the limit on p95, 1 pipeline would remain."


def test_a_limit_on_p95_asks_for_a_load_study(engine: Engine) -> None:
    (step,) = decide(CLEAR, engine, Requirements(p95=1.0)).steps
    assert step.kind == "load"
    assert decide(CLEAR, engine).steps == ()


def test_an_unfinished_evaluation_says_so_first(engine: Engine) -> None:
    unfinished = timed({BM25: [4] * 9, L12: [1] * 6}, {BM25: 0.1, L12: 0.2})
    steps = decide(unfinished, engine).steps
    assert (steps[0].kind, steps[0].count) == ("finish", 3)


def test_prices_typed_before_are_begun_with(engine: Engine) -> None:
    assert kept_terms(CLEAR.id, engine) == CostTerms()
    terms = CostTerms(5000, peak=2.0, usd_per_hour=0.5)
    keep(CostStudy(terms, ()), CLEAR.id, engine.home)
    assert kept_terms(CLEAR.id, engine) == terms


def test_another_limit_resamples_nothing_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparisons = compared(CLEAR)
    before = decide(CLEAR, engine, comparisons=comparisons)

    def again(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("rerank_lab.decision.comparisons.bootstrap_interval", again)
    monkeypatch.setattr("rerank_lab.decision.comparisons.margin_test", again)
    after = decide(CLEAR, engine, Requirements(memory=10**9), comparisons=comparisons)
    assert after.comparisons == before.comparisons

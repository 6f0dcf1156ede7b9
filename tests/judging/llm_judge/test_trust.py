"""Judge and people side by side; what enters qrels; what the judge's errors do to a difference."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.judging.llm_judge.error import judge_error
from rerank_lab.judging.llm_judge.trust import (
    Consistency,
    GradePair,
    JudgeTrust,
    allowed_llm_judges,
    compare_with_people,
)
from rerank_lab.judging.llm_judge.vendors import shared_vendors, vendors_of

GRADES = (0, 1, 2, 3)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def pairs_of(n: int, right: float, seed: int = 0, shift: int = 0) -> list[GradePair]:
    """n documents of n / 5 queries; the judge is right with this chance, else off by chance."""
    draw = random.Random(seed)
    pairs = []
    for number in range(n):
        human = draw.choice(GRADES)
        llm = human if draw.random() < right else draw.choice(GRADES)
        pairs.append(GradePair(f"q{number // 5}", f"d{number}", human, min(3, llm + shift)))
    return pairs


def compared(pairs: list[GradePair]) -> JudgeTrust:
    return compare_with_people(
        pairs, GRADES, judge="llm:m:1", corpus="c", against="lab", compared_at=NOW
    )


def trusted(pairs: list[GradePair]) -> JudgeTrust:
    return replace(compared(pairs), repeat=Consistency(10, 10))


@pytest.mark.parametrize("right", [0.0, 0.5, 1.0])
def test_kappa_is_that_of_scikit_learn_and_its_interval_holds_it(right: float) -> None:
    pairs = pairs_of(200, right)
    trust = compared(pairs)
    expected = cohen_kappa_score(
        [p.human for p in pairs], [p.llm for p in pairs], weights="quadratic"
    )
    assert trust.kappa == pytest.approx(expected)
    assert trust.low is not None
    assert trust.high is not None
    assert trust.low <= expected + 1e-9
    assert trust.high >= expected - 1e-9
    assert (trust.pairs, trust.queries) == (200, 40)


def test_one_grade_alone_has_no_kappa() -> None:
    assert compared([GradePair("q", "d", 1, 1)]).kappa is None
    assert compared([]).kappa is None


def test_bias_is_told_by_grade_and_abstentions_are_counted_apart() -> None:
    pairs = [
        GradePair("q1", "a", 0, 1),
        GradePair("q1", "b", 0, 2),
        GradePair("q2", "c", 3, 2),
        GradePair("q2", "d", 3, None),
    ]
    trust = compared(pairs)
    assert [(b.grade, b.pairs, b.mean) for b in trust.bias_by_grade] == [
        (0, 2, 1.5), (1, 0, None), (2, 0, None), (3, 1, -1.0)]  # fmt: skip
    assert trust.bias == pytest.approx(2 / 3)
    assert (trust.abstained, trust.exact) == (1, 0.0)
    assert trust.to_json()["confusion"] == [[0, 1, 1, 0], [0] * 4, [0] * 4, [0, 0, 1, 0]]


def test_another_scale_of_people_is_refused() -> None:
    with pytest.raises(InvalidInput, match="grade 4"):
        compared([GradePair("q", "d", 4, 3)])


def test_labels_enter_qrels_only_after_a_comparison_that_says_enough() -> None:
    good = trusted(pairs_of(100, 0.8))
    assert allowed_llm_judges([], "c") == frozenset()
    assert allowed_llm_judges([good], "c") == {"llm:m:1"}
    assert allowed_llm_judges([good], "another corpus") == frozenset()
    few = trusted(pairs_of(29, 1.0))
    assert "30 are needed" in few.refusal
    by_chance = trusted(pairs_of(100, 0.0))
    assert "from chance" in by_chance.refusal
    unrepeated = compared(pairs_of(100, 0.8))
    assert "same twice" in unrepeated.refusal
    for bad in (few, by_chance, unrepeated):
        assert allowed_llm_judges([bad], "c") == frozenset()
    later = replace(by_chance, compared_at=NOW + timedelta(days=1))
    assert allowed_llm_judges([later, good], "c") == frozenset()


def test_consistency_has_an_interval_and_none_without_a_question() -> None:
    assert Consistency().share is None
    assert Consistency().interval is None
    interval = Consistency(10, 10).interval
    assert interval is not None
    assert interval[0] == pytest.approx(0.722, abs=0.001)


def test_makers_are_told_by_names_and_one_maker_of_both_is_warned_of() -> None:
    assert vendors_of("gpt-4.1-mini") == {"OpenAI"}
    assert vendors_of("o3-mini") == {"OpenAI"}
    assert vendors_of("Qwen/Qwen3-Reranker-0.6B") == {"Alibaba"}
    assert vendors_of("BAAI/bge-reranker-v2-gemma") == {"BAAI", "Google"}
    assert vendors_of("ms-marco-minilm-l12") == frozenset()
    models = ["cross-encoder/ms-marco-MiniLM-L-12-v2", "Qwen/Qwen3-Reranker-4B"]
    (warning,) = shared_vendors("qwen3:8b", models)
    assert "Qwen3-Reranker-4B both come from Alibaba" in warning
    assert shared_vendors("gpt-4.1", models) == ()


def runs(queries: int, better: float, seed: int) -> tuple[dict[str, Ranking], dict[str, Ranking]]:
    """Two pipelines over 10 documents a query, of which the first 3 are of grade 3."""
    draw = np.random.default_rng(seed)
    rankings: tuple[dict[str, Ranking], dict[str, Ranking]] = ({}, {})
    for number in range(queries):
        for run, lift in zip(rankings, (0.0, better), strict=True):
            scores = {f"d{i}": draw.random() + lift * (i < 3) for i in range(10)}
            query_id = f"q{number}"
            run[query_id] = Ranking.from_order(
                query_id, sorted(scores, key=lambda doc_id: -scores[doc_id])
            )
    return rankings


def test_a_difference_smaller_than_the_judges_error_is_said_to_be() -> None:
    qrels = {f"q{n}": {f"d{i}": 3 * (i < 3) for i in range(10)} for n in range(20)}
    sharp, blunt = trusted(pairs_of(400, 0.95)), trusted(pairs_of(60, 0.1))
    clear = judge_error(sharp, {}, qrels, runs(20, 0.8, 1), samples=40)
    assert clear.observed > 0.1
    assert not clear.covers_zero
    assert clear.low <= clear.expected <= clear.high
    assert clear.sentence.startswith("The difference is larger than the judge's error: +0.")
    tiny = judge_error(blunt, {}, qrels, runs(20, 0.0, 3), samples=40)
    assert tiny.covers_zero
    assert tiny.sentence.startswith("The difference is smaller than the judge's error")
    assert tiny.high - tiny.low > 0
    again = judge_error(blunt, {}, qrels, runs(20, 0.0, 3), samples=40)
    assert again == tiny


def test_grades_of_people_are_never_drawn_anew() -> None:
    people = {"q0": {f"d{i}": 3 * (i < 3) for i in range(10)}}
    llm = {"q0": {f"d{i}": 3 * (i >= 3) for i in range(10)}}
    blunt = trusted(pairs_of(60, 0.1))
    error = judge_error(blunt, people, llm, runs(1, 0.8, 1))
    assert error.drawn == 0
    assert error.low == error.high == error.observed > 0

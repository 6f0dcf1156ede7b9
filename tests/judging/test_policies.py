"""Policies: which rows count, and what they make of several judges."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.judgment_basis import Policy
from rerank_lab.judging.policies import current_rows, pair_decisions, qrels_of
from rerank_lab.judging.records import JudgeKind, Judgment

AT = datetime(2026, 5, 4, tzinfo=UTC)


def rows_of(*grades: int | None, kinds: str = "", doc_id: str = "d") -> list[Judgment]:
    """One row a judge (a, b, c, ...), in this order; kinds by letter: h, l(lm), i, s."""
    letters = {"h": "human", "l": "llm", "i": "imported", "s": "simulated"}
    return [
        Judgment("c", "q", doc_id, grade, chr(97 + n), JudgeKind(letters[kind]), AT, row_id=n + 1)
        for n, (grade, kind) in enumerate(zip(grades, kinds or "h" * len(grades), strict=True))
    ]


@pytest.mark.parametrize(
    ("policy", "grades", "grade", "tied"),
    [
        (Policy.LATEST, (3, 0, 1), 1, False),
        (Policy.MAJORITY, (3, 0, 3), 3, False),
        (Policy.MAJORITY, (3, 1, 3, 1, 0), 1, True),
        (Policy.MEDIAN, (3, 0, 1), 1, False),
        (Policy.MEDIAN, (3, 2, 0, 1), 1, True),
        (Policy.MEDIAN, (2, 2), 2, False),
        (Policy.GOLD_FIRST, (3, 0, 3), 3, False),
    ],
)
def test_a_policy_makes_one_grade_of_several(policy, grades, grade, tied) -> None:
    decision = pair_decisions(rows_of(*grades), policy)[0]
    assert (decision.grade, decision.tied) == (grade, tied)


def test_gold_comes_first_whatever_the_others_say() -> None:
    assert qrels_of(rows_of(0, 3, 3, kinds="ihh"), Policy.GOLD_FIRST) == {"q": {"d": 0}}
    rows = rows_of(3, 0, 3)
    assert qrels_of(rows, Policy.GOLD_FIRST, gold_judges={"b"}) == {"q": {"d": 0}}


@pytest.mark.parametrize("policy", list(Policy))
def test_models_count_where_allowed_and_no_person_has_judged(policy: Policy) -> None:
    model, person = rows_of(3, 0, kinds="lh")
    assert qrels_of([model], policy) == {}
    assert qrels_of([model], policy, llm_judges={"a"}) == {"q": {"d": 3}}
    assert qrels_of([model, person], policy, llm_judges={"a"}) == {"q": {"d": 0}}


def test_cannot_tell_and_simulated_grades_enter_no_qrels() -> None:
    rows = rows_of(None, 2, kinds="hs")
    assert qrels_of(rows) == {}
    assert qrels_of(rows, simulated=True) == {"q": {"d": 2}}


GRADED = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.none() | st.integers(0, 3)),
    max_size=12,
)


def log_of(graded: list[tuple[str, str, int | None]]) -> list[Judgment]:
    return [
        Judgment("c", "q", doc_id, grade, judge, JudgeKind.HUMAN, AT, row_id=n)
        for n, (judge, doc_id, grade) in enumerate(graded, 1)
    ]


@given(GRADED, st.sampled_from(Policy), st.randoms())
def test_the_order_in_which_rows_are_given_does_not_matter(
    graded: list[tuple[str, str, int | None]], policy: Policy, rng: random.Random
) -> None:
    rows = log_of(graded)
    shuffled = rng.sample(rows, len(rows))
    assert pair_decisions(shuffled, policy) == pair_decisions(rows, policy)


@given(GRADED, st.sampled_from([Policy.MAJORITY, Policy.MEDIAN]))
def test_who_judged_first_changes_neither_majority_nor_median(
    graded: list[tuple[str, str, int | None]], policy: Policy
) -> None:
    once = list({(judge, doc_id): (judge, doc_id, g) for judge, doc_id, g in graded}.values())
    assert qrels_of(log_of(once), policy) == qrels_of(log_of(once[::-1]), policy)


@given(GRADED.filter(bool), st.sampled_from(Policy), st.data())
def test_an_undone_row_is_as_if_it_had_never_been(
    graded: list[tuple[str, str, int | None]], policy: Policy, data: st.DataObject
) -> None:
    rows = log_of(graded)
    undone = data.draw(st.sampled_from(rows))
    undoing = Judgment(
        "c", "q", undone.doc_id, None, undone.judge, undone.kind, AT,
        undoes=undone.row_id, row_id=len(rows) + 1,
    )  # fmt: skip
    without = [row for row in rows if row is not undone]
    assert current_rows([*rows, undoing]) == current_rows(without)
    assert pair_decisions([*rows, undoing], policy) == pair_decisions(without, policy)


@given(GRADED, st.sampled_from(Policy))
def test_a_grade_is_one_that_somebody_gave(
    graded: list[tuple[str, str, int | None]], policy: Policy
) -> None:
    for decision in pair_decisions(log_of(graded), policy):
        assert decision.grade in {row.grade for row in decision.rows}

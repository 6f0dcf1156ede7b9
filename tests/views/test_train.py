"""The Train page's answer: yes, no or not shown, with figures that belong to the same queries."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rerank_lab.evaluation.statistics import Settings, paired
from rerank_lab.fusion.learned.features import Features
from rerank_lab.fusion.learned.model import (
    FIRST,
    MODEL,
    SIGNAL,
    Fold,
    Importance,
    LearnedModel,
    Origin,
    Validation,
)
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.views.train import flatters, free_name, model_line, train_view


def model(gain: float, queries: int = 60) -> LearnedModel:
    """A model that beats the best single signal by `gain` on all queries but every tenth."""
    ids = [f"q{n}" for n in range(queries)]
    signal = {q: 0.5 + 0.01 * (n % 7) for n, q in enumerate(ids)}
    values = {
        SIGNAL: signal,
        MODEL: {q: v + (gain if n % 10 else 0.0) for n, (q, v) in enumerate(signal.items())},
        FIRST: {q: 0.3 for q in ids},
    }
    return LearnedModel(
        "mine",
        Features(("bm25", "dense")),
        LearnerSettings(),
        Origin("helpdesk", "c", "j", "bm25(k=50)", "bm25", tuple(ids), frozenset(), 1000, 90, 100,
               "2026-11-24T10:00:30+00:00", {"lightgbm": "4.7.0"}),
        Validation("nDCG@10", (Fold(queries, 0.6, 0.3, 0.5),), values, "dense score",
                   {"dense score": 0.53, "bm25 score": 0.3, "bm25 rank": 0.3}),
        (Importance("dense score", 0.9, 20), Importance("bm25 score", 0.1, 3),
         Importance("query words", 0.0, 0)),
        "tree",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "start"),
    [
        (0.1, "Yes: together they rank better than dense alone; the model reaches 0.62 nDCG@10"),
        (-0.1, "No: dense alone ranks better than all of them together"),
        (0.0, "Not shown: together they do not clearly rank better than dense alone"),
    ],
)
def test_the_answer_comes_first_and_follows_the_figures(gain: float, start: str) -> None:
    assert train_view(model(gain)).sentence.startswith(start)


def test_the_answer_has_both_comparisons_with_intervals() -> None:
    sentence = train_view(model(0.1)).sentence
    assert "on 60 queries that it did not see, dense 0.53 (+0.090 [" in sentence
    assert "p < 0.001), bm25(k=50) 0.30 (+0.32 [" in sentence


def test_rungs_are_the_model_and_what_it_is_compared_with() -> None:
    rungs = train_view(model(0.1)).rungs
    assert [rung.name for rung in rungs] == [
        "learned: mine", "best single signal: dense", "order before: bm25(k=50)",
    ]  # fmt: skip
    assert rungs[0].compared is None
    assert rungs[0].against == ""
    assert re.fullmatch(r"\+0\.090 \[\+0\.\d+, \+0\.\d+\], p < 0\.001", rungs[1].against)
    assert rungs[1].compared is not None
    assert rungs[1].compared.difference == pytest.approx(rungs[0].mean - rungs[1].mean)


def test_features_are_sorted_by_what_they_are_worth_and_unused_ones_have_no_bar() -> None:
    view = train_view(model(0.1))
    assert [name for name, _ in view.features] == ["dense score", "bm25 rank", "bm25 score"]
    assert [one.feature for one in view.importances] == ["dense score", "bm25 score"]


def test_notes_tell_what_makes_the_figures_weak() -> None:
    assert train_view(model(0.1)).notes == ()
    [few] = train_view(model(0.1, queries=20)).notes
    assert few.startswith("20 queries teach little")
    made = model(0.1)
    [unjudged] = train_view(replace(made, origin=replace(made.origin, unjudged=700))).notes
    assert unjudged.startswith("70% of the candidates were never judged")
    [nothing] = train_view(replace(made, importances=(Importance("x", 0.0, 0),))).notes
    assert "found nothing to go by" in nothing


def test_the_queries_it_learned_from_are_no_test_any_more() -> None:
    assert flatters(model(0.1)).startswith("On these 60 queries the model flatters itself")


def test_facts_and_list_lines() -> None:
    view = train_view(model(0.1))
    assert view.facts == (
        "helpdesk · 60 queries · 1,000 candidates, 90 of them relevant · LightGBM LambdaMART "
        "4.7.0 · 100 trees of 7 leaves · seed 0 · 2026-11-24 10:00 UTC"
    )
    line = model_line(model(0.1))
    assert line.sources == 'bm25(k=50) >> ltr(bm25,dense,model="mine")'
    assert line.figure == "nDCG@10 0.62 on helpdesk, cross-validated"


@pytest.mark.parametrize(
    ("corpus", "taken", "name"),
    [
        ("helpdesk", [], "helpdesk-ltr"),
        ("helpdesk", ["helpdesk-ltr", "helpdesk-ltr-2"], "helpdesk-ltr-3"),
        ("Über Ünë (v2)", [], "ber--n---v2-ltr"),
        ("日本", [], "model-ltr"),
    ],
)
def test_a_free_name_can_be_a_name(corpus: str, taken: list[str], name: str) -> None:
    from rerank_lab.fusion.learned.model import checked_name

    assert checked_name(free_name(corpus, taken)) == name


def test_intervals_and_p_values_give_one_verdict_where_the_old_ones_differed() -> None:
    """A difference that the plain interval left 0 out of, though p was above 0.05."""
    ids = [f"q{n}" for n in range(12)]
    gains = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.05, 0.06, 0.31, 0.4]
    made = model(0.1)
    signal = dict.fromkeys(ids, 0.4)
    learned = {q: 0.4 + gain for q, gain in zip(ids, gains, strict=True)}
    values = {SIGNAL: signal, MODEL: learned, FIRST: signal}
    view = train_view(replace(made, validation=replace(made.validation, values=values)))
    plain = paired(signal, learned, settings=Settings(interval="bca"))
    assert plain.low is not None
    assert plain.low > 0
    for rung in view.rungs[1:]:
        assert rung.compared is not None
        assert rung.compared.p is not None
        assert rung.compared.p > 0.05
        assert rung.compared.low is not None
        assert rung.compared.low <= 0
    assert view.sentence.startswith("Not shown")
    assert "corrected for 2 comparisons together (Bonferroni" in view.method

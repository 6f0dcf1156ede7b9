"""From judgments to a stage: what takes part, what is refused, nothing learned from the tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.errors import BackendError, ContractViolation, InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation import calibration
from rerank_lab.evaluation.calibration import calibrate, fitting, judged_scores, require_judgments
from rerank_lab.evaluation.calibration.curves import Curve
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.views.calibration import percent, view

pytestmark = pytest.mark.usefixtures("plugin")
SPEC = "as-given >> by-length"


def corpus(queries: int = 20) -> Corpus:
    """Ten documents of 1 to 10 characters; the longer, the more often relevant."""
    chance = np.random.default_rng(5)
    docs = tuple(Document(f"d{n}", "x" * (n + 1)) for n in range(10))
    qrels = {
        f"q{q}": {f"d{n}": int(chance.random() < (n + 1) / 12) * 2 for n in range(9)}
        for q in range(queries)
    }
    asked = tuple(Query(f"q{q}", f"question {q}") for q in range(queries))
    return Corpus("c", docs, asked, qrels)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


def test_judged_candidates_take_part_and_others_are_counted(engine: Engine) -> None:
    judged = judged_scores(corpus(), SPEC, engine=engine)
    assert judged.query_count == 20
    assert len(judged.scores) == 180
    assert judged.unjudged == 20  # d9, in every query
    assert judged.scale == "characters"
    assert sum(judged.relevant) == sum(
        g > 0 for row in corpus().qrels.values() for g in row.values()
    )
    assert not any(judged_scores(corpus(), SPEC, grade=3, engine=engine).relevant)


def test_a_calibration_says_how_good_the_probabilities_are(engine: Engine) -> None:
    found = calibrate(judged_scores(corpus(60), SPEC, engine=engine))
    assert found.chosen.brier < found.base_brier
    assert found.chosen.ece < 0.1
    stages = [Pipeline(f"{SPEC} >> {one.stage}") for one in found.fitted]
    ranking = stages[0].run("anything", corpus(), engine=engine).ranking
    assert ranking is not None
    assert ranking.scale == "probability"
    assert found.to_json()["chosen"] == found.chosen.method
    assert calibrate(found.judged) == found


def test_no_curve_is_tested_on_a_query_that_it_was_fitted_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = judged_scores(corpus(), SPEC, engine=engine)
    # Scores that name their query, so that the fits tell which queries they saw.
    named = calibration.JudgedScores(
        judged.pipeline,
        judged.scale,
        judged.grade,
        judged.queries,
        tuple(float(query[1:]) for query in judged.queries),
        judged.relevant,
        0,
        0,
    )
    pairs: list[tuple[set[float], set[float]]] = []

    def spy(scores: Any, truth: Any) -> Curve:
        seen = set(scores)

        def apply(given: Any) -> Any:
            pairs.append((seen, set(given)))
            return np.full(len(given), 0.5)

        return Curve("platt", apply)

    monkeypatch.setattr(fitting, "FITS", {"platt": spy, "isotonic": spy})
    calibrate(named)
    assert len(pairs) == 10
    assert not any(fitted & tested for fitted, tested in pairs)
    assert set().union(*(tested for _, tested in pairs)) == set(map(float, range(20)))


def test_too_little_is_refused_with_numbers(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="3 judged queries") as caught:
        calibrate(judged_scores(corpus(3), SPEC, engine=engine))
    assert "At least 10 queries" in caught.value.hint
    with pytest.raises(InvalidInput, match="0 relevant"):
        calibrate(judged_scores(corpus(), SPEC, grade=3, engine=engine))


def test_a_corpus_that_judges_only_what_is_relevant_is_told_what_it_lacks(engine: Engine) -> None:
    made = corpus()
    only = {q: {d: g for d, g in grades.items() if g} for q, grades in made.qrels.items()}
    positive = Corpus("c", made.documents, made.queries, only)
    with pytest.raises(InvalidInput, match="and 0 other candidates") as caught:
        calibrate(judged_scores(positive, SPEC, engine=engine))
    assert "Judge some with grade 0" in caught.value.hint


@pytest.mark.parametrize(
    ("queries", "grade", "kept", "message"),
    [
        (3, 1, {0, 2}, "3 judged queries"),
        (20, 3, {0, 2}, "0 relevant and 180 other documents"),
        (20, 1, {2}, "and 0 other documents"),
        (20, 1, {0}, "0 relevant"),
    ],
)
def test_what_judgments_alone_rule_out_is_refused_without_scoring(
    queries: int, grade: int, kept: set[int], message: str
) -> None:
    made = corpus(queries)
    qrels = {q: {d: g for d, g in row.items() if g in kept} for q, row in made.qrels.items()}
    judged = Corpus("c", made.documents, made.queries, qrels)
    with pytest.raises(InvalidInput, match=message) as caught:
        require_judgments(judged, judged.queries, grade)
    assert "At least 10 queries" in caught.value.hint
    require_judgments(made if queries > 9 else corpus(), corpus().queries)


def test_judgments_of_documents_that_are_not_there_are_no_judgments() -> None:
    made = corpus()
    elsewhere = {q: {f"x{d}": g for d, g in row.items()} for q, row in made.qrels.items()}
    with pytest.raises(InvalidInput, match="0 judged queries"):
        require_judgments(Corpus("c", made.documents, made.queries, elsewhere), made.queries)


def test_one_fold_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="1 fold"):
        calibrate(judged_scores(corpus(), SPEC, engine=engine), folds=1)


def test_orders_without_scores_and_failures_are_told(engine: Engine) -> None:
    with pytest.raises(InvalidInput, match="gives no scores"):
        judged_scores(corpus(), "as-given >> by-length >> both-ends", engine=engine)
    with pytest.raises((BackendError, ContractViolation)):
        judged_scores(corpus(), "as-given >> loses", engine=engine)
    with pytest.raises(InvalidInput, match="no judged queries"):
        judged_scores(Corpus("c", corpus().documents), SPEC, engine=engine)


def test_the_view_answers_first_and_gives_specs_that_run(engine: Engine) -> None:
    found = calibrate(judged_scores(corpus(60), SPEC, engine=engine))
    shown = view(found, None, 0.6)
    low, high = found.chosen.bins[0].predicted, found.chosen.bins[-1].predicted
    assert high > 0.5
    assert shown.answer.startswith(
        f"The score can be read as a probability between {low:.2f} and {high:.2f}; it is off by"
    )
    assert shown.advised == shown.cut_spec
    assert shown.fitted is found.chosen
    assert "60 judged queries, 540 judged candidates" in shown.ground
    assert "60 candidates without a judgment took no part" in shown.ground
    assert shown.cut is not None
    assert f"From a probability of {shown.cut.threshold:.2f} on" in shown.cut_answer
    assert Pipeline(shown.cut_spec).spec == shown.cut_spec
    assert [row[0] for row in shown.rows] == ["Platt (logistic)", "Isotonic (steps)"]
    assert view(found, "isotonic", 0.6).fitted.method == "isotonic"


def rarely_relevant(judged: calibration.JudgedScores) -> calibration.JudgedScores:
    """The same scores, of which only the highest are relevant, and those seldom."""
    chance = np.random.default_rng(1)
    relevant = tuple(
        bool(chance.random() < (0.7 if query.endswith("0") and score == 9 else 0.02 * score))
        for query, score in zip(judged.queries, judged.scores, strict=True)
    )
    return replace(judged, relevant=relevant)


def test_the_words_claim_no_more_than_the_figures_cover(engine: Engine) -> None:
    found = calibrate(rarely_relevant(judged_scores(corpus(200), SPEC, engine=engine)))
    shown = view(found, None, 0.2)
    high = found.chosen.bins[-1].predicted
    assert high < 0.35
    assert "as a probability, but only as a low one, between 0." in shown.answer
    assert f" and {high:.2f}; it is off by" in shown.answer
    worst = max(abs(one.predicted - one.observed) for one in found.chosen.bins)
    assert f"by {percent(worst)} at most in one of {len(found.chosen.bins)} groups" in shown.answer


def test_a_threshold_that_empties_most_queries_is_not_advised() -> None:
    """20 queries with one relevant candidate each; only every fourth query scores it high."""
    queries = [f"q{n}" for n in range(20) for _ in range(10)]
    truth = [place == 0 for _ in range(20) for place in range(10)]
    scores = [
        (8.0 if query % 4 == 0 else 3.0) if place == 0 else float(place % 4)
        for query in range(20)
        for place in range(10)
    ]
    judged = calibration.JudgedScores(
        "bm25", "bm25", 1, tuple(queries * 3), tuple(scores * 3), tuple(truth * 3), 0, 0
    )
    shown = view(calibrate(judged), "isotonic", 0.9)
    assert shown.cut is not None
    assert shown.cut.wrongly_empty == shown.cut.empty == 0.75
    assert shown.cut.rightly_empty is None
    assert "on a precision of 90 % is reached, but most queries then" in shown.cut_answer
    assert "75 % of queries keep nothing" in shown.cut_answer
    assert shown.advised == shown.spec
    assert "threshold" not in str(shown.advised)
    assert "threshold(" in str(shown.cut_spec)


def test_a_precision_out_of_reach_is_said_so(engine: Engine) -> None:
    noise = corpus(60)
    judged = judged_scores(noise, SPEC, engine=engine)
    chance = np.random.default_rng(0)
    blind = calibration.JudgedScores(
        judged.pipeline,
        judged.scale,
        1,
        judged.queries,
        judged.scores,
        tuple(chance.random() < 0.25 + 0.01 * score for score in judged.scores),
        0,
        0,
    )
    shown = view(calibrate(blind), "isotonic", 0.99)
    assert shown.answer.startswith("The score says little about relevance here")
    assert shown.cut is None
    assert shown.cut_spec is None
    assert "No threshold keeps a precision of 99 % here" in shown.cut_answer


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0 %"), (0.034, "3.4 %"), (0.0996, "10 %"), (0.81, "81 %")]
)
def test_shares_are_written_short(share: float, shown: str) -> None:
    assert percent(share) == shown

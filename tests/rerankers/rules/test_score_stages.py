"""Scores as probabilities, and what scores too low left out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.rules.score_stages import Isotonic, Platt, Threshold, curve_points

SCORES = {"a": 3.0, "b": 1.0, "c": 1.0, "d": -2.0}
finite = st.floats(-50, 50, allow_nan=False)


def stage(reranker: Reranker, scores: dict[str, float], unscored: tuple[str, ...] = ()) -> Ranking:
    before = Ranking.from_scores("q", scores, "logit").followed_by(unscored)
    docs = [Document(doc_id, doc_id) for doc_id in before.doc_ids]
    return reranker.rerank(Query("q", "?"), docs, Context(), before).ranking


def test_platt_is_a_logistic_curve_of_the_score() -> None:
    ranking = stage(Platt(slope=2.0, intercept=-1.0), SCORES, ("e",))
    assert ranking.scale == "probability"
    assert ranking.doc_ids == ("a", "b", "c", "d", "e")
    assert [hit.score for hit in ranking][:2] == [
        pytest.approx(1 / (1 + math.exp(-5))),
        pytest.approx(1 / (1 + math.exp(-1))),
    ]
    assert ranking.hits[-1].score is None


def test_isotonic_draws_straight_lines_and_ends_level() -> None:
    ranking = stage(Isotonic(points="-1:0.1 1:0.5 2:0.9"), SCORES)
    assert [hit.score for hit in ranking] == [0.9, 0.5, 0.5, 0.1]
    assert Isotonic(points="-1:0.1 1:0.5").probability(0.0) == pytest.approx(0.3)


@pytest.mark.parametrize(
    "points", ["", "1", "1:2:3", "a:0.1", "0:0.5 0:0.6", "0:0.5 1:0.4", "0:-0.1 1:1", "0:nan"]
)
def test_points_that_are_no_rising_curve_are_told_before_any_work(points: str) -> None:
    [problem] = Isotonic(points=points).problems()
    assert isinstance(problem, InvalidInput)
    assert "no rising curve" in problem.message
    assert problem.hint


@given(st.dictionaries(st.sampled_from("abcdefgh"), finite, min_size=1), finite, finite)
def test_calibration_never_changes_an_order(
    scores: dict[str, float], slope: float, intercept: float
) -> None:
    before = Ranking.from_scores("q", scores, "logit").doc_ids
    assert stage(Platt(slope=abs(slope) + 0.01, intercept=intercept), scores).doc_ids == before
    assert stage(Isotonic(points="-9:0.1 0:0.1 9:0.8"), scores).doc_ids == before


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8).map(sorted))
def test_points_read_back_as_written(values: list[float]) -> None:
    text = " ".join(f"{place}:{value!r}" for place, value in enumerate(values))
    assert curve_points(text) == ([float(i) for i in range(len(values))], values)


def test_a_threshold_leaves_out_what_scores_too_low_or_not_at_all() -> None:
    assert stage(Threshold(min=1.0), SCORES, ("e",)).doc_ids == ("a", "b", "c")
    assert stage(Threshold(min=9.0), SCORES).doc_ids == ()
    assert stage(Threshold(min=9.0, keep=1), SCORES).doc_ids == ("a",)
    assert stage(Threshold(min=1.0), SCORES).scale == "logit"


def test_without_scores_the_stage_says_what_it_lacks() -> None:
    for reranker in (Platt(), Isotonic(), Threshold()):
        with pytest.raises(InvalidInput, match="reads the scores of the stage before") as caught:
            stage(reranker, {}, ("a", "b"))
        assert "cross-encoder" in caught.value.hint


@pytest.mark.usefixtures("plugin")
def test_in_a_pipeline_the_documents_below_the_threshold_are_gone(tmp_path: Path) -> None:
    corpus = Corpus("c", tuple(Document(f"d{n}", "x" * (n + 1)) for n in range(6)))
    engine = Engine(tmp_path)
    spec = "as-given >> by-length(top=4) >> threshold(min=3)"
    result = Pipeline(spec).run("q", corpus, engine=engine)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("d3", "d2")
    nothing = Pipeline("as-given >> by-length >> threshold(min=99)").run("q", corpus, engine=engine)
    assert nothing.status is Status.OK
    assert nothing.ranking is not None
    assert len(nothing.ranking) == 0
    wrong = Pipeline("as-given >> both-ends >> threshold").run("q", corpus, engine=engine)
    assert wrong.status is Status.FAILED
    assert isinstance(wrong.error, InvalidInput)

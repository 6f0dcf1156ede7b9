"""The chart of ratings: equal pipelines stand on one line, and noise is not blown up."""

from __future__ import annotations

from rerank_lab.charts.arena import ratings_chart
from rerank_lab.charts.figures import LIGHT
from rerank_lab.judging.arena.ratings import ratings
from rerank_lab.judging.records import ArenaSide
from rerank_lab.views.arena import rating_marks
from tests.charts.validated import validated
from tests.judging.arena.votes import vote


def test_pipelines_that_won_as_often_as_they_lost_stand_at_nought() -> None:
    sides = (ArenaSide.LEFT, ArenaSide.RIGHT, ArenaSide.TIE, ArenaSide.TIE)
    rated = ratings([vote("a", "b", side, f"q{n}", n) for n, side in enumerate(sides)])
    assert {rating.strength for rating in rated.ratings} == {0.0}
    figure = validated(ratings_chart(rating_marks(rated, {}), {}, LIGHT))
    assert [trace.text for trace in figure.data] == [("0.00",), ("0.00",)]
    low, high = figure.layout.xaxis.range
    assert low <= -1 < 1 <= high

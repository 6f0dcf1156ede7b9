"""The importance chart: one bar a feature, the greatest first, texts shown as they stand."""

from __future__ import annotations

from rerank_lab.charts.figures import DARK, LIGHT
from rerank_lab.charts.train import SHOWN, importance_chart
from rerank_lab.views.train import ImportanceBar
from tests.charts.validated import validated


def test_bars_have_the_share_at_their_end_and_one_colour() -> None:
    found = [ImportanceBar("dense score", 0.7, 9), ImportanceBar("bm25 rank", 0.297, 4),
             ImportanceBar("query words", 0.003, 1)]  # fmt: skip
    for theme in (LIGHT, DARK):
        (bars,) = validated(importance_chart(found, theme)).data
        assert list(bars.y) == ["dense score", "bm25 rank", "query words"]
        assert list(bars.text) == ["70%", "30%", "< 1%"]
        assert bars.marker.color == theme.accent


def test_a_column_cannot_write_html_and_only_so_many_bars_are_drawn() -> None:
    many = [ImportanceBar(f"column <b>%{{x}}{n}", 0.01, 1) for n in range(40)]
    (bars,) = validated(importance_chart(many, LIGHT)).data
    assert len(bars.y) == SHOWN
    assert "<b>" not in bars.y[0]
    assert "%{" not in bars.y[0]

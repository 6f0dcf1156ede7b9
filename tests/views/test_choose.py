"""What the page Choose says: the answer, the points of its chart, who remains and who fell."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.charts.choose import front_chart
from rerank_lab.charts.figures import LIGHT
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.cost import CostTerms
from rerank_lab.decision.requirements import Requirements
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.decide import decide
from rerank_lab.views.choose import LimitChoices, choice_chart, choose_view
from tests.charts.validated import validated
from tests.decision.timed import timed

BM25, L12, SLOW = "bm25", "bm25 >> ms-marco-minilm-l12", "bm25 >> bge-reranker-v2-m3"
THREE = timed(
    {BM25: [4] * 40, L12: [1] * 36 + [5] * 4, SLOW: [4] * 39 + [5]},
    {BM25: 0.002, L12: 0.3, SLOW: 2.0},
)


@pytest.fixture
def decision(tmp_path: Path) -> PipelineDecision:
    return decide(THREE, Engine(tmp_path), Requirements(p95=1.0))


def test_the_answer_comes_first_and_each_pipeline_stands_somewhere(
    decision: PipelineDecision,
) -> None:
    view = choose_view(decision)
    assert view.headline == "Take ms-marco-minilm-l12."
    assert [(line.label, line.standing) for line in view.remaining] == [
        (L12, "recommended"), (BM25, "remains"),
    ]  # fmt: skip
    (fallen,) = view.fallen
    assert fallen.lines == (
        "p95 is 2.07 s, above 1 s",
        f"dominated: {BM25} and {L12} are shown to be as good (up to 0.02) and faster",
    )


def test_every_fact_says_where_it_is_from_and_unknown_ones_why(decision: PipelineDecision) -> None:
    view = choose_view(decision)
    spec, label, cells = view.rows[1]
    facts = dict(zip(view.headings, cells, strict=True))
    assert (spec, label) == (L12, L12)
    assert facts["Licence"].text == "Apache-2.0"
    assert facts["p95"].text == "311 ms [310 ms, ?]"
    assert facts["p95"].source.endswith("too few to bound it from above")
    assert not facts["1,000 queries"].known
    assert facts["1,000 queries"].source == "Missing: the price of an hour of your hardware."


def test_what_fell_is_hollow_and_the_front_runs_through_the_others(
    decision: PipelineDecision,
) -> None:
    chart = choice_chart(decision, "p95")
    assert [(point.label, point.standing) for point in chart.points] == [
        ("bm25", "remains"),
        ("ms-marco-minilm-l12", "recommended"),
        ("bge-reranker-v2-m3", "fallen"),
    ]
    assert [point.label for point in chart.front] == ["bm25", "ms-marco-minilm-l12"]
    figure = validated(front_chart(chart, {BM25: 0, L12: 1, SLOW: 2}, LIGHT))
    markers = {trace.customdata[0]: trace.marker for trace in figure.data if trace.customdata}
    assert markers[SLOW].color == "rgba(0,0,0,0)"
    assert markers[L12].size > markers[BM25].size
    assert figure.layout.shapes[0].x0 == 1.0


def test_dominated_ones_are_grey_and_never_hidden(tmp_path: Path) -> None:
    chart = choice_chart(decide(THREE, Engine(tmp_path)), "p95")
    assert chart.points[-1].standing == "dominated"
    figure = validated(front_chart(chart, {SLOW: 2}, LIGHT))
    assert figure.data[-1].marker.color == LIGHT.still
    assert figure.data[-1].x == (chart.points[-1].x.value,)


def test_without_a_price_nothing_stands_on_its_axis_and_it_is_said(
    decision: PipelineDecision, tmp_path: Path
) -> None:
    assert choice_chart(decision, "price").points == ()
    assert len(choice_chart(decision, "price").absent) == 3
    terms = CostTerms(usd_per_hour=0.0)
    free = choice_chart(decide(THREE, Engine(tmp_path), Requirements(terms=terms)), "price")
    assert len(free.points) == 3
    names = [
        trace.textposition for trace in validated(front_chart(free, {}, LIGHT)).data if trace.text
    ]
    assert {name.split()[0] for name in names} == {"top", "bottom"}


def test_the_widgets_words_mean_these_requirements() -> None:
    choices = LimitChoices(
        "RR@10", 0.01, "300 ms", 2.0, "Open source", ("German",), True, True, "1 GB", 5000, 1.5
    )
    assert choices.required == Requirements(
        "RR@10", 0.01, 0.3, 2.0, "open", ("de",), True, True, 1_000_000_000,
        CostTerms(5000, usd_per_hour=1.5),
    )  # fmt: skip
    assert LimitChoices().required == Requirements()

"""The depth chart: a line a pipeline, ceilings of each first stage once, the knee ringed."""

from __future__ import annotations

from dataclasses import replace

from rerank_lab.charts.depth import depth_chart, depth_time_chart
from rerank_lab.charts.figures import LIGHT
from rerank_lab.evaluation.depth.study import DepthCurve, DepthPoint, DepthStudy
from tests.charts.validated import validated


def _curve(pipeline: str, *values: float) -> DepthCurve:
    points = (
        DepthPoint(depth, depth, value, value - 0.1, value + 0.1, 0.8, 0.9)
        for depth, value in zip((5, 10, 50), values, strict=True)
    )
    return DepthCurve(pipeline, True, True, "", tuple(points))


def test_only_pipelines_stand_in_the_legend_and_the_knee_is_ringed() -> None:
    curves = (_curve("bm25 >> overlap", 0.4, 0.6, 0.5), _curve("bm25 >> <b>", 0.4, 0.5, 0.7))
    study = DepthStudy("c", "hash", "nDCG@10", 30, (5, 10, 50), curves)
    figure = validated(depth_chart(study, {"bm25 >> overlap": "overlap"}, {}, LIGHT))
    assert [one.name for one in figure.data if one.showlegend] == [
        "overlap",
        "bm25 &gt;&gt; &lt;b&gt;",
    ]
    ceilings = [one for one in figure.data if one.line.dash in ("dot", "dash")]
    assert len(ceilings) == 2
    knees = [one for one in figure.data if one.mode == "markers"]
    assert [(one.x[0], one.y[0]) for one in knees] == [("10", 0.6), ("50", 0.7)]


def test_a_pipeline_of_unknown_time_has_no_line() -> None:
    curves = (_curve("bm25 >> overlap", 0.4, 0.6, 0.5),)
    study = DepthStudy("c", "hash", "nDCG@10", 30, (5, 10, 50), curves)
    assert not validated(depth_time_chart(study, {}, {}, LIGHT)).data
    timed = replace(study, curves=(replace(curves[0], timing="estimated"),))
    (line,) = validated(depth_time_chart(timed, {}, {}, LIGHT)).data
    assert line.line.dash == "dot"

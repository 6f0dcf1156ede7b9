"""Figures: what is drawn, in which colours, and that no text from outside becomes markup."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rerank_lab.charts import figures as charts
from rerank_lab.charts.figures import DARK, LIGHT, Theme
from rerank_lab.core.spec import parse
from rerank_lab.views.bump import Axis, Bump, BumpLine
from rerank_lab.views.evidence import StageTime
from rerank_lab.views.rank_changes import Movement
from tests.charts.validated import validated

CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"


def line(doc_id: str, *places: int | None, key: str = "up", pinned: bool = False) -> BumpLine:
    grade = int(key[-1]) if key.startswith("grade") else None
    movement = Movement(doc_id, places[0], places[-1])
    return BumpLine(doc_id, f"Title of {doc_id}", places, key, grade, pinned, movement)


def bump(*lines: BumpLine, judged: bool = False) -> Bump:
    axes = (Axis(parse("bm25"), "bm25", 50), Axis(parse("x"), "bm25 >> ms-marco-minilm-l12", 50))
    return Bump(axes, lines, 10, 0, judged)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_theme_file_and_the_charts_use_the_same_colours(theme: Theme) -> None:
    values = tomllib.loads(CONFIG.read_text("utf-8"))["theme"][theme.name]
    assert values["primaryColor"] == theme.accent
    assert values["backgroundColor"] == theme.background
    assert values["secondaryBackgroundColor"] == theme.surface
    assert values["textColor"] == theme.text
    assert values["borderColor"] == theme.border
    assert values["grayColor"] == theme.muted
    assert tuple(values["chartCategoricalColors"]) == theme.pipelines


def test_the_app_listens_on_this_machine_only_and_reports_nothing() -> None:
    config = tomllib.loads(CONFIG.read_text("utf-8"))
    assert config["server"]["address"] == "localhost"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["maxUploadSize"] == 1024


def test_changed_code_is_not_loaded_beside_what_was_kept() -> None:
    config = tomllib.loads(CONFIG.read_text("utf-8"))
    assert config["server"]["fileWatcherType"] == "none"


def test_every_point_says_which_document_it_is() -> None:
    figure = validated(
        charts.bump_chart(bump(line("d1", 14, 1), line("d2", 3, 12, key="down")), LIGHT)
    )
    assert [set(trace.customdata) for trace in figure.data] == [{"d1"}, {"d2"}]
    assert [list(trace.text) for trace in figure.data] == [["14", "1"], ["3", "12"]]


def test_rank_one_is_on_top_and_lower_ranks_are_lower() -> None:
    figure = validated(charts.bump_chart(bump(line("d1", 50, 1), line("d2", 10, 11)), LIGHT))
    low, high = figure.layout.yaxis.range
    assert low > high
    heights = dict(zip(["50", "1", "10", "11"], [y for t in figure.data for y in t.y], strict=True))
    assert heights["1"] < heights["10"] < heights["11"] < heights["50"]


def test_a_document_not_found_is_below_every_rank() -> None:
    figure = validated(charts.bump_chart(bump(line("d1", None, 1), line("d2", 50, 20)), LIGHT))
    by_text = {text: y for t in figure.data for text, y in zip(t.text, t.y, strict=True)}
    assert by_text["–"] > by_text["50"]
    assert figure.layout.yaxis.ticktext[-1] == "none"


def test_ties_are_drawn_at_the_same_height() -> None:
    figure = validated(charts.bump_chart(bump(line("d1", 3, 1), line("d2", 4, 1)), LIGHT))
    assert figure.data[0].y[1] == figure.data[1].y[1]


def test_movement_is_written_and_not_only_coloured() -> None:
    figure = validated(charts.bump_chart(bump(line("d1", 14, 1)), LIGHT))
    assert any("▲ 13" in note.text for note in figure.layout.annotations)


def test_grades_run_through_one_hue_and_movement_through_two() -> None:
    lines = [line(f"d{g}", 12, 1 + g, key=f"grade:{g}") for g in range(4)]
    figure = validated(charts.bump_chart(bump(*lines, judged=True), LIGHT))
    assert {trace.marker.color for trace in figure.data} == set(LIGHT.grades)
    up, down = validated(
        charts.bump_chart(bump(line("a", 2, 1), line("b", 1, 2, key="down")), LIGHT)
    ).data
    assert (up.line.color, down.line.color) == (LIGHT.up, LIGHT.down)


def test_a_pinned_document_is_drawn_last_and_thickest() -> None:
    figure = validated(
        charts.bump_chart(bump(line("d1", 1, 2, pinned=True), line("d2", 2, 1)), LIGHT)
    )
    assert figure.data[-1].customdata[0] == "d1"
    assert figure.data[-1].line.width > figure.data[0].line.width


def test_titles_cannot_bring_markup_or_placeholders_into_a_chart() -> None:
    bad = BumpLine("d1", '<a href="javascript:x">%{y} <b>', (2, 1), "up", None, pinned=False)
    figure = validated(charts.bump_chart(bump(bad), LIGHT))
    shown = str(figure.to_dict())
    assert "<a href" not in shown
    assert "%{y}" not in shown


def _row(spec: str, stage: str, load: float, compute: float, build: float = 0.0) -> StageTime:
    return StageTime(parse(spec), spec, stage, load, build, 0.0, compute, 0.0, 50, 0, "warm")


def test_latency_bars_stack_the_parts_of_a_stage() -> None:
    rows = [_row("bm25", "bm25", 0.0, 0.004), _row("x", "l12", 1.5, 0.9, build=12.0)]
    figure = validated(charts.latency_chart(rows, LIGHT, {"bm25": 0, "x": 3}))
    parts = {trace.name: list(trace.x) for trace in figure.data}
    assert parts == {
        "Loading": [0.0, 1.5],
        "Building the index": [0.0, 12.0],
        "Computing": [0.004, 0.9],
    }
    looks = {trace.name: trace.marker.pattern.shape for trace in figure.data}
    assert len(set(looks.values())) == 3
    assert figure.layout.barmode == "stack"
    assert "seconds" in figure.layout.xaxis.title.text


def test_a_pipeline_has_its_colour_in_every_chart() -> None:
    rows = [_row("bm25", "bm25", 0.0, 0.1), _row("x", "l12", 0.0, 0.2)]
    figure = validated(charts.latency_chart(rows, LIGHT, {parse("bm25"): 4, parse("x"): 1}))
    assert list(figure.data[0].marker.color) == [LIGHT.pipelines[4], LIGHT.pipelines[1]]


def test_agreement_writes_its_numbers_and_leaves_the_undefined_empty() -> None:
    figure = validated(charts.agreement_chart(["a", "b"], [[1.0, None], [None, 1.0]], LIGHT))
    assert [note.text for note in figure.layout.annotations] == ["1.00", "–", "–", "1.00"]
    assert list(figure.data[0].z[0]) == [1.0, None]


def test_long_names_are_broken_into_rows() -> None:
    figure = validated(charts.bump_chart(bump(line("d1", 2, 1)), LIGHT))
    titles = [note.text for note in figure.layout.annotations if "minilm" in note.text]
    assert titles == ["<b>bm25<br>&gt;&gt; ms-marco-<br>minilm-l12</b>"]

"""What lies below the columns, drawn only when asked for: latency, agreement, raw data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.ui.shared import parts, run
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.views.compare import CompareView
from rerank_lab.views.evidence import agreement, latency, table
from rerank_lab.views.export import file_stem, spec_that_ran, to_csv, to_json, to_lines, to_trec
from rerank_lab.views.reproduce import python_code, rank_command

LATENCY, AGREEMENT, RAW = "Latency", "Agreement", "Raw"
_MEASURES = {
    "RBO": "Rank-biased overlap, p = 0.9: 1 is the same order, the top weighs most.",
    "Overlap@10": "Share of the first ten documents that both have.",
    "Kendall's tau": "Order of the shared documents: 1 the same, 0 unrelated, -1 reversed.",
}


def draw(
    view: CompareView,
    colours: Mapping[PipelineSpec, int],
    beside: Callable[[], None],
    *,
    can_measure: bool,
) -> None:
    """The chooser, `beside` it what can be done with the whole, and the part chosen."""
    with st.container(key="evidence"):
        with st.container(horizontal=True, vertical_alignment="center", key="evidence_row"):
            chosen = st.segmented_control(
                "Evidence",
                [LATENCY, AGREEMENT, RAW],
                key="evidence_tab",
                label_visibility="collapsed",
            )
            st.space("stretch")
            with st.container(horizontal=True, gap="small", width="content"):
                beside()
        if not view.ready:
            return
        if chosen == LATENCY:
            _latency(view, colours)
            if can_measure:
                _measure_afresh(view)
        elif chosen == AGREEMENT:
            _agreement(view)
        elif chosen == RAW:
            _raw(view)


def _latency(view: CompareView, colours: Mapping[PipelineSpec, int]) -> None:
    rows = latency(view.columns)
    st.plotly_chart(
        PlainFigure(charts.latency_chart(rows, parts.theme(), colours)),
        theme=None,
        key="latency",
        config={"displayModeBar": False},
        alt="Seconds of each stage, by loading, building, waiting, computing and network",
    )
    cells = table(rows)
    st.dataframe(
        cells,
        hide_index=True,
        key="latency_table",
        column_config={
            name: st.column_config.NumberColumn(format="%.1f")
            for name in cells[0]
            if name.endswith("(ms)")
        }
        | {"Pipeline": st.column_config.TextColumn(width="medium")},
    )


def _measure_afresh(view: CompareView) -> None:
    st.button(
        "Measure afresh",
        key="afresh_button",
        icon=":material/timer:",
        on_click=run.afresh,
        args=(view.topic,),
        help="Runs these pipelines again without any cache. Models stay loaded.",
    )


def _agreement(view: CompareView) -> None:
    if len(view.ready) < 2:
        st.caption("Agreement needs two finished pipelines.")
        return
    matrices = agreement(view)
    name = st.segmented_control(
        "Measure",
        list(_MEASURES),
        default="RBO",
        required=True,
        key="agreement_measure",
        label_visibility="collapsed",
    )
    values = {"RBO": matrices.rbo, "Overlap@10": matrices.overlap}.get(str(name), matrices.tau)
    limits = (-1.0, 1.0) if name == "Kendall's tau" else (0.0, 1.0)
    st.caption(_MEASURES[str(name)])
    st.plotly_chart(
        PlainFigure(charts.agreement_chart(matrices.labels, values, parts.theme(), limits)),
        theme=None,
        key="agreement",
        config={"displayModeBar": False},
        alt=f"{name} between every two pipelines",
    )


def _raw(view: CompareView) -> None:
    stem = file_stem(view)
    with st.container(horizontal=True):
        st.download_button(
            "CSV", to_csv(view), f"{stem}.csv", "text/csv", key="csv", on_click="ignore",
            icon=":material/download:",
        )  # fmt: skip
        st.download_button(
            "JSON", to_json(view), f"{stem}.json", "application/json", key="json",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        _other_shapes(view, stem)
        for place, column in enumerate(view.ready):
            st.download_button(
                f"TREC run, {parts.literal(column.label)}",
                to_trec(view, column),
                f"{stem}-{place + 1}.trec",
                "text/plain",
                key=f"trec_{place}",
                on_click="ignore",
                icon=":material/download:",
            )
    for title, code, language in (
        ("On the command line", rank_command(view), "shell"),
        ("In Python", python_code(view), "python"),
    ):
        st.markdown(f"**{title}**")
        st.code(code, language=language, wrap_lines=True)
    for column in view.columns:
        st.markdown(f"**{parts.literal(column.label)}**")
        st.code(spec_that_ran(column), language=None)
        with st.expander("Trace"):
            st.json(column.trace.to_json())


def _other_shapes(view: CompareView, stem: str) -> None:
    """Downloads for programs that read other rerank tools' answers, a line a pipeline."""
    for shape, label, of in (
        ("cohere", "Cohere", "Cohere's rerank API"),
        ("rerankers", "rerankers", "the Python package rerankers"),
    ):
        lines = to_lines(view, shape)
        help_text = f"Answers in the shape of {of}, one line of JSON a pipeline."
        missing = len(view.ready) - lines.count("\n")
        if missing:
            help_text += f" Left out, because this shape needs scores: {missing} without any."
        st.download_button(
            f"{label} JSONL", lines, f"{stem}-{shape}.jsonl", "application/jsonl",
            key=f"{shape}_lines", on_click="ignore", icon=":material/download:",
            help=help_text, disabled=not lines,
        )  # fmt: skip

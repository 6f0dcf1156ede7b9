"""Results as files, in one menu. Each file is made when its button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.services.report import ReportEvidence, ReportRequest, evidence
from rerank_lab.ui.shared import resources
from rerank_lab.views import evaluate_export as export
from rerank_lab.views.report import report_file
from rerank_lab.views.report.files import report_zip

_KINDS = {
    ".csv": "CSV",
    ".json": "JSON",
    ".md": "Markdown",
    ".parquet": "Parquet",
    ".tex": "LaTeX",
}

_ENDINGS = {label: suffix for suffix, label in _KINDS.items()} | {
    "HTML": ".html",
    "TREC runs": ".zip",
    "With its data (ZIP)": ".zip",
}


def draw(evaluation: Evaluation, primary: str, baseline: str) -> None:
    """The table of results, the single queries, the rankings, and the report with its data."""
    stem = evaluation.id[:8]

    def collected() -> ReportEvidence:
        request = ReportRequest(evaluation.id, primary, baseline)
        return evidence(request, resources.engine())

    def exports(files: Mapping[str, export.Export]) -> dict[str, Callable[[], str | bytes]]:
        return {
            _KINDS[suffix]: partial(make, evaluation, primary, baseline)
            for suffix, make in files.items()
        }

    with (
        st.container(key="evaluate_files"),
        st.popover("Download", icon=":material/download:", width="content"),
    ):
        _row("Results: one row a pipeline", f"{stem}-results", exports(export.RESULT_FILES))
        _row(
            "Queries: one row a query and pipeline", f"{stem}-queries", exports(export.QUERY_FILES)
        )
        _row("Rankings", f"{stem}-runs", {"TREC runs": lambda: export.runs_zip(evaluation)})
        reports: dict[str, Callable[[], str | bytes]] = {
            "HTML": lambda: report_file(collected(), "html"),
            "Markdown": lambda: report_file(collected(), "md"),
            "With its data (ZIP)": lambda: report_zip(collected()),
        }
        _row("Report: the decision and what it stands on", f"{stem}-report", reports)


def _row(caption: str, stem: str, files: dict[str, Callable[[], str | bytes]]) -> None:
    """A line of buttons, one for each kind of file."""
    st.caption(caption)
    with st.container(horizontal=True):
        for label, content in files.items():
            name = f"{stem}{_ENDINGS[label]}"
            st.download_button(
                label,
                content,
                file_name=name,
                mime="application/octet-stream",
                key=f"file_{name}",
                type="tertiary",
                on_click="ignore",
            )

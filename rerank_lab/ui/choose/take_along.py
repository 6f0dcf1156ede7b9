"""What one takes along from a decision: the report for others to read."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rerank_lab.corpora import Corpus
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.services.report import ReportRequest, evidence
from rerank_lab.ui.shared import resources
from rerank_lab.views.report import ReportFormat, report_file

_REPORTS: tuple[tuple[str, ReportFormat, str], ...] = (
    ("Report (HTML)", "html", "text/html"),
    ("Report (Markdown)", "md", "text/markdown"),
)


def draw(decision: PipelineDecision, corpus: Corpus | None) -> None:
    """Files to save. Each is written when its button is pressed."""
    st.markdown("**Take it along**")
    request = ReportRequest(
        decision.experiment_id, decision.measure, required=decision.required, corpus=corpus
    )
    with st.container(horizontal=True, vertical_alignment="center", key="choose_report"):
        for label, kind, mime in _REPORTS:
            st.download_button(
                label,
                _report(request, kind),
                file_name=f"{decision.experiment_id[:8]}-report.{kind}",
                mime=mime,
                key=f"choose_report_{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.caption(
            "The decision with its evidence, tests, costs and how to reproduce it, in one file.",
            width="content",
        )


def _report(request: ReportRequest, kind: ReportFormat) -> Callable[[], bytes]:
    return lambda: report_file(evidence(request, resources.engine()), kind)

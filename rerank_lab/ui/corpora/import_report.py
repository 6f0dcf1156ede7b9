"""What became of an import: the sentence, the problems as a table and as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from rerank_lab.core.problems import Problem
from rerank_lab.corpora import ImportReport
from rerank_lab.ui.shared import parts
from rerank_lab.views import importing as views

_READINGS = 5


def draw_report(report: ImportReport, key: str, *, replaced: bool = False) -> None:
    """The result of an import, or of queries or judgments added to a corpus."""
    mark = ":material/check_circle:"
    lead = "Done. " if replaced else ""
    st.markdown(f"{mark} {lead}{parts.literal(views.import_sentence(report))}")
    for reading in report.readings[:_READINGS]:
        st.caption(parts.literal(f"{reading.file}: {reading.sentence}"))
    for judged in report.judged_readings:
        st.caption(parts.literal(judged.sentence))
    draw_problems(report.problems, report.problem_counts, key)


def draw_problems(
    problems: Sequence[Problem], counts: Mapping[str, int], key: str, where: str = "in the files"
) -> None:
    """Problems with their places and what to do, all of them in one table."""
    if not problems:
        return
    st.markdown(f"**{views.problem_sentence(counts)}** {where}")
    st.dataframe(
        {
            "Kind": ["note" if p.severity.value == "info" else p.severity.value for p in problems],
            "Where": [p.where for p in problems],
            "What": [p.message for p in problems],
            "What to do": [p.hint for p in problems],
        },
        hide_index=True,
        height=300 if len(problems) > 7 else "auto",
        column_config={
            "What": st.column_config.TextColumn("What", width="large"),
            "What to do": st.column_config.TextColumn("What to do", width="large"),
        },
        alt="Problems found in the files",
    )
    st.download_button(
        "Download the list",
        views.problems_csv(problems),
        file_name="problems.csv",
        mime="text/csv",
        key=f"problems_{key}",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )

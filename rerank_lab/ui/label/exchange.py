"""Labels from files of other tools into the lab, and out of it into theirs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.judgment_basis import Policy
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.source import Source
from rerank_lab.judging.exchange.formats import FORMATS, ExchangeFormat
from rerank_lab.judging.records import MAX_JUDGE_CHARS
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services.judgments import (
    ImportedJudgments,
    JudgmentExport,
    JudgmentImport,
    export_judgments,
    import_judgments,
)
from rerank_lab.ui.corpora.import_report import draw_problems
from rerank_lab.ui.corpora.uploads import Uploaded, discard, stage
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.formatting import counted
from rerank_lab.views.importing import count_problems
from rerank_lab.views.judgment_choice import POLICY_TITLES
from rerank_lab.views.label import import_sentence

_REPORT = "label_import_report"
_EACH = "each judge"
_GRADES = {policy.value: title for policy, title in POLICY_TITLES.items()} | {
    _EACH: "A row for each judge"
}


def draw(corpus: Corpus) -> None:
    """Both ways side by side."""
    with st.container(key="label_exchange"):
        incoming, outgoing = st.columns(2, gap="large")
        with incoming:
            st.markdown("**Labels of another tool**")
            _import(corpus)
        with outgoing:
            st.markdown("**Labels of this lab**")
            _export(corpus)
        report = st.session_state.get(_REPORT)
        if isinstance(report, LabError):
            parts.error_card(report, key="label_import")
        elif report is not None and report[0] == corpus.name:
            _report(report[1])


def _import(corpus: Corpus) -> None:
    with st.form("label_import", border=False, clear_on_submit=True):
        files = st.file_uploader(
            "Files of judgments",
            accept_multiple_files=True,
            key="label_import_files",
            help="TREC, CSV (Quepid's exports too), JSON lines, RankLib, OpenSearch judgment lists",
        )
        judge = st.text_input("Who judged", key="label_import_judge", max_chars=MAX_JUDGE_CHARS,
                              placeholder="Where a file does not say: its name")  # fmt: skip
        replace = st.toggle("Replace other grades of the same judge", key="label_import_replace")
        if st.form_submit_button("Import", key="label_import_go", icon=":material/upload:"):
            _take_in(corpus, files, judge, replace)


def _take_in(corpus: Corpus, files: Sequence[Uploaded], judge: str, replace: bool) -> None:
    if not files:
        return
    upload = stage(files)
    places = [upload.path] if upload.path.is_file() else sorted(upload.path.iterdir())
    request = JudgmentImport(tuple(map(Source.of, places)), judge=judge, replace=replace)
    try:
        with st.spinner("Reading labels"):
            report = import_judgments(request, corpus, JudgmentStore.open(resources.engine().home))
        st.session_state[_REPORT] = (corpus.name, report)
    except LabError as error:
        st.session_state[_REPORT] = error
    finally:
        discard(upload)


def _report(report: ImportedJudgments) -> None:
    st.markdown(f":material/check_circle: {parts.literal(import_sentence(report))}")
    for reading in report.readings:
        st.caption(parts.literal(reading))
    draw_problems(report.problems, count_problems(report.problems), "labels")


def _export(corpus: Corpus) -> None:
    form = st.selectbox("Format", list(FORMATS), key="label_export_format",
                        format_func=lambda one: FORMATS[one].title)  # fmt: skip
    traits = FORMATS[ExchangeFormat(form)]
    choices = [one for one in _GRADES if one != _EACH or traits.judges]
    grades = st.selectbox("Grades", choices, key="label_export_grades",
                          format_func=lambda one: _GRADES[one])  # fmt: skip
    if traits.missing:
        st.caption(f"This format has no place for {traits.missing}.")
    policy = None if grades == _EACH else Policy(grades)
    try:
        exported = export_judgments(
            JudgmentExport(ExchangeFormat(form), policy),
            corpus,
            JudgmentStore.open(resources.engine().home),
        )
    except LabError as error:
        st.caption(f"{parts.literal(error.message)} {parts.literal(error.hint)}")
        return
    st.download_button(
        f"Download {counted(exported.judgments, 'label')}",
        exported.content,
        file_name=exported.file_name,
        key="label_export",
        icon=":material/download:",
        on_click="ignore",
    )
    for note in exported.notes:
        st.caption(parts.literal(note))

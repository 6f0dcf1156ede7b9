"""Bring your own corpus: files or a list, a look at them, the columns, the import, the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import streamlit as st

from rerank_lab.corpora import (
    ColumnMapping,
    ImportOptions,
    ImportReport,
    PassageOptions,
    Preview,
)
from rerank_lab.corpora.readers.registry import readers
from rerank_lab.jobs.table import Job, JobState
from rerank_lab.services.corpora import (
    ImportRequest,
    InspectionRequest,
    start_import,
    start_inspection,
)
from rerank_lab.ui.corpora import addresses, connecting, uploads
from rerank_lab.ui.corpora.import_mapping import choose_mapping
from rerank_lab.ui.corpora.import_report import draw_problems, draw_report
from rerank_lab.ui.corpora.uploads import Upload
from rerank_lab.ui.shared import navigation, parts, resources
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import first_time, short_key, watch
from rerank_lab.views import importing as views

FILES, PASTE, ADDRESS, ENGINE = "Files", "Paste a list", "Address", "Search engine"
FIND_OUT = "(find out)"
LIST_NAME = "pasted list.txt"


def draw() -> None:
    """The whole flow; each step appears when the one before it is settled."""
    job = resources.jobs().get(st.session_state.get("import_job"))
    if job is not None and job.state is JobState.DONE:
        _report(job)
        return
    way = st.segmented_control(
        "From",
        (FILES, PASTE, ADDRESS, ENGINE),
        default=FILES,
        required=True,
        key="import_way",
        label_visibility="collapsed",
    )
    if way == ENGINE:
        connecting.draw()
        return
    upload = addresses.draw() if way == ADDRESS else _upload(way)
    if upload is None:
        if way != ADDRESS:
            _welcome()
        return
    options = _reading_options()
    request = InspectionRequest(upload.name, upload.path, options)
    inspection = start_inspection(request, upload.folder.name, session())
    if not inspection.finished.wait(2.0):
        watch(inspection)
        return
    if inspection.error is not None:
        parts.error_card(inspection.error, key="inspect")
        return
    _preview(upload, inspection.wait(), options)
    if job is not None:
        _not_done(job)


def _welcome() -> None:
    st.caption(
        "JSON lines, JSON, CSV, TSV, Parquet, text, Markdown, HTML, PDF, Word, a BEIR collection, "
        "or a zip of these; up to 1 GB a file. Several files together make one corpus. Drop "
        "queries (queries.csv) and judgments (judgments.csv or qrels.tsv) beside the documents: "
        "they come along."
    )


def _upload(way: str | None) -> Upload | None:
    """What the visitor handed over, staged on disk once."""
    version = int(st.session_state.get("import_version", 0))
    if way == PASTE:
        text = st.text_area(
            "One document a line",
            key=f"import_text_{version}",
            height=160,
            placeholder="One document a line",
        )
        mark = short_key(text or "") if (text or "").strip() else ""
        files: list[uploads.Uploaded] = [_Pasted(text or "")]
    else:
        chosen = st.file_uploader(
            "Drop files here", accept_multiple_files=True, key=f"import_files_{version}"
        )
        mark = short_key("".join(file.file_id for file in chosen)) if chosen else ""
        files = list(chosen)
    known = st.session_state.get("import_upload")
    if not mark:
        return None
    if known is None or known[0] != mark:
        if known is not None:
            uploads.discard(Upload(known[1], Path(known[2]), Path(known[3])))
        staged = uploads.stage(files)
        known = (mark, staged.name, str(staged.path), str(staged.folder))
        st.session_state["import_upload"] = known
    return Upload(known[1], Path(known[2]), Path(known[3]))


class _Pasted:
    """A pasted list in the shape of an uploaded file."""

    name = LIST_NAME

    def __init__(self, text: str) -> None:
        self._rest = text.encode("utf-8", "replace")

    def read(self, size: int = -1, /) -> bytes:
        taken, self._rest = self._rest, b""
        return taken

    def seek(self, offset: int, /) -> int:
        return offset


def _reading_options() -> ImportOptions:
    state = st.session_state
    pasted = state.get("import_way") == PASTE
    chosen = str(state.get("import_format") or FIND_OUT)
    by_label = {entry.label: name for name, entry in readers().items()}
    format_name = "lines" if pasted else by_label.get(chosen, "")
    encoding = str(state.get("import_encoding") or "")
    return ImportOptions(format=format_name, encoding="" if encoding == FIND_OUT else encoding)


def _preview(upload: Upload, preview: Preview, options: ImportOptions) -> None:
    with st.container(horizontal=True, gap="large", key="upload_facts"):
        for fact in views.upload_facts(preview):
            st.metric(fact.label, fact.value, width="content")
    with st.expander("Not right? Say how to read it", icon=":material/tune:"):
        _reading_form(preview)
    counts = Counter(problem.severity.value for problem in preview.problems)
    draw_problems(preview.problems, counts, "preview")
    mapping = choose_mapping(preview) if views.mappable(preview) else None
    if views.mappable(preview) and mapping is None:
        return
    if not views.mappable(preview):
        parts_of = [{k: str(v) for k, v in row.items()} for row in preview.rows]
        st.dataframe(parts_of, hide_index=True, alt="The first documents")
    _import_form(upload, preview, mapping, options)


def _reading_form(preview: Preview) -> None:
    with st.container(horizontal=True):
        labels = [FIND_OUT, *(entry.label for entry in readers().values())]
        st.selectbox("Format", labels, key="import_format", width=220, disabled=preview.files > 1)
        st.selectbox(
            "Encoding",
            [FIND_OUT, "utf-8", "utf-16", "cp1252", "latin-1", "shift_jis", "gb18030", "koi8-r"],
            key="import_encoding",
            accept_new_options=True,
            width=220,
        )


def _import_form(
    upload: Upload, preview: Preview, mapping: ColumnMapping | None, reading: ImportOptions
) -> None:
    taken = [entry.name for entry in resources.corpora()]
    mark = short_key(upload.folder.name)
    st.markdown("**Import**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Name",
            value=views.suggested_name(preview.document_file or upload.name, taken),
            key=f"import_name_{mark}",
            max_chars=200,
            width=300,
        )
        licence = st.text_input(
            "Licence", key=f"import_licence_{mark}", width=200, placeholder="optional"
        )
        cut = st.toggle("Cut long documents into passages", key="import_cut")
        tokens, overlap = 256, 32
        if cut:
            tokens = int(
                st.number_input("Tokens a passage", 16, 4096, 256, key="import_tokens", width=150)
            )
            overlap = int(
                st.number_input(
                    "Overlap", 0, tokens // 2, min(32, tokens // 2), key="import_overlap", width=120
                )
            )
    replace = _replace_box(name or "")
    chosen = ImportOptions(
        format=reading.format,
        encoding=reading.encoding,
        passages=PassageOptions(tokens, overlap) if cut else None,
        replace=replace,
        licence=licence or "",
    )
    st.button(
        "Import",
        type="primary",
        icon=":material/download_done:",
        key="import_now",
        disabled=not (name or "").strip(),
        on_click=_start,
        args=(upload, preview, name, mapping, chosen),
    )


def _replace_box(name: str) -> bool:
    same = next(
        (e for e in resources.corpora() if e.name.casefold() == name.strip().casefold()), None
    )
    if same is None or same.kind != "imported":
        return False
    return st.checkbox(f"Replace the corpus {parts.literal(same.name)}", key="import_replace")


def _start(
    upload: Upload,
    preview: Preview,
    name: str,
    mapping: ColumnMapping | None,
    options: ImportOptions,
) -> None:
    request = ImportRequest(
        upload.path,
        name,
        upload.name,
        mapping=mapping or preview.mapping,
        options=options,
        origin=upload.origin,
    )

    job = start_import(
        request, upload.folder.name, session(), discard=lambda: uploads.discard(upload)
    )
    st.session_state["import_job"] = job.key


def _not_done(job: Job[ImportReport]) -> None:
    """An import at work, or one that came to nothing; the form above is as it was."""
    if not job.state.ended:
        watch(job)
    elif job.state is JobState.DONE:
        st.rerun()
    elif job.state is JobState.CANCELLED:
        st.info("The import was cancelled; nothing was stored.", icon=":material/info:")
    elif job.error is not None:
        parts.error_card(job.error, key="import")


def _report(job: Job[ImportReport]) -> None:
    if first_time(job):
        resources.refresh_corpora()
        st.rerun()
    report = job.wait()
    with st.container(border=True, key="import_done"):
        draw_report(report, "import")
        with st.container(horizontal=True):
            navigation.compare_button(
                "Open in Compare", "import_compare", corpus=report.name, query="", primary=True
            )
            st.button("Look it over", key="import_look", on_click=_look, args=(report.name,))
            st.button("Bring another", key="import_again", type="tertiary", on_click=_again)


def _look(name: str) -> None:
    _again()
    st.session_state["view"] = "Look around"
    st.session_state["corpus"] = name


def _again() -> None:
    st.session_state.pop("import_job", None)
    st.session_state.pop("import_upload", None)
    addresses.forget()
    st.session_state["import_version"] = int(st.session_state.get("import_version", 0)) + 1

"""Bring your own from an address: the field, the job that reads it, and what came of it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.services.corpora import (
    BringKey,
    BringRequest,
    address_rules,
    origin_of,
    start_bringing,
    start_changes,
)
from rerank_lab.ui.corpora import uploads
from rerank_lab.ui.corpora.uploads import Upload
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import watch
from rerank_lab.views.formatting import origin_sentence
from rerank_lab.views.importing import changes_lines

_FOLDER, _PROBLEM = "import_address_folder", "import_address_problem"
_HELP = (
    "A file, or a folder that ends in a slash. Buckets are read with the credentials in the "
    "environment of this app; a signed web address is used and not kept."
)


def draw() -> Upload | None:
    """The field for an address; the files once they are here."""
    version = int(st.session_state.get("import_version", 0))
    key = f"import_address_{version}"
    with st.form(f"address_form_{version}", border=False):
        st.text_input("Address", key=key, placeholder="s3://bucket/folder/", help=_HELP)
        st.form_submit_button(
            "Read it", icon=":material/cloud_download:", on_click=_begin, args=(key,)
        )
    problem = st.session_state.get(_PROBLEM)
    if isinstance(problem, LabError):
        parts.error_card(problem, key="address")
        return None
    folder = Path(st.session_state.get(_FOLDER, ""))
    job = resources.jobs().get(BringKey(folder.parent.name)) if folder.name else None
    if job is None:
        _welcome()
    elif not job.finished.wait(1.0):
        watch(job)
    elif job.error is not None:
        parts.error_card(job.error, key="address")
    elif job.result is not None and job.result.path is not None:
        source = job.result
        if source.origin is not None:
            st.caption(parts.literal(_sentence(origin_sentence(source.origin))))
        return Upload(source.name, job.result.path, folder.parent, source.origin)
    return None


def forget() -> None:
    """Begin anew: another address may be read."""
    st.session_state.pop(_FOLDER, None)
    st.session_state.pop(_PROBLEM, None)


def draw_changes(name: str) -> None:
    """Where an imported corpus came from, and whether what lies there is another by now."""
    origin = origin_of(name)
    if origin is None:
        return
    st.markdown("**Where it came from**")
    st.caption(parts.literal(_sentence(origin_sentence(origin))))
    count = f"origin_asked_{name}"
    if st.button("Has it changed since?", key="origin_changes", icon=":material/history:"):
        st.session_state[count] = int(st.session_state.get(count, 0)) + 1
    look = int(st.session_state.get(count, 0))
    if not look:
        return
    try:
        job = start_changes(name, look, session())
    except LabError as error:
        parts.error_card(error, key="origin")
        return
    if not job.finished.wait(1.0):
        watch(job)
    elif job.error is not None:
        parts.error_card(job.error, key="origin")
    else:
        for line in changes_lines(job.wait()):
            st.markdown(parts.literal(line))


def _begin(key: str) -> None:
    address = str(st.session_state.get(key) or "")
    forget()
    if not address.strip():
        return
    folder = uploads.new_folder()
    try:
        start_bringing(BringRequest(address, folder), folder.parent.name, session())
    except LabError as error:
        st.session_state[_PROBLEM] = error
        return
    st.session_state[_FOLDER] = str(folder)


def _welcome() -> None:
    st.caption(
        "s3:// and gs:// buckets, https:// files and lists of files; the formats are those of "
        "files, up to 1 GB each. Nothing is stored until you import it."
    )
    places = address_rules().places
    if places is not None:
        listed = ", ".join(places) or "none"
        st.caption(parts.literal(f"Buckets that visitors of this app may read: {listed}."))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."

"""Saved comparisons: keep what is on screen, list what is kept, and show one again unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.services import comparisons as saved
from rerank_lab.services.access import Action, may
from rerank_lab.services.presets import (
    DEFAULT_CORPUS,
    DEFAULT_DEPTH,
    DEFAULT_SHOW,
    DEPTHS,
    MAX_PIPELINES,
    SHOWS,
)
from rerank_lab.services.session import hosts_in
from rerank_lab.ui.compare import editor
from rerank_lab.ui.shared import keys, parts, resources, run, state
from rerank_lab.views import saved as views
from rerank_lab.views.compare import CompareView, PipelineOutcome
from rerank_lab.views.formatting import older_words
from rerank_lab.views.own_documents import OWN_DOCUMENT, choice_of, excludes_itself

_OPEN, _ASKED = "saved_open", "saved_asked"
_SHOWN, _LATEST = 50, 3


@dataclass(frozen=True, slots=True)
class Replay:
    """What a saved comparison has for this screen: nothing, results by spec, or a problem."""

    header: saved.Header | None = None
    outcomes: Mapping[PipelineSpec, PipelineOutcome] = field(default_factory=dict)
    problem: LabError | None = None


def follow_link() -> None:
    """A link that names only a saved comparison: put what it holds on screen. Before any widget."""
    wanted = str(st.query_params.get("saved", ""))
    if "saved" in st.session_state or not wanted or "q" in st.query_params:
        return
    entry = saved.find(wanted)
    if entry is None:
        return
    keys.distrust(hosts_in(entry.header.pipelines))
    defaults = {"corpus": DEFAULT_CORPUS, "depth": DEFAULT_DEPTH, "show": DEFAULT_SHOW,
                "own": OWN_DOCUMENT[0]}  # fmt: skip
    for name, value in _screen_of(entry).items():
        # A widget with a default of its own is told only what differs from it.
        if value and value != defaults.get(name):
            st.session_state[name] = value
            st.query_params[name] = value if isinstance(value, list) else str(value)


def replayed(screen: state.Screen, corpus: Corpus) -> Replay:
    """What is shown again instead of being asked."""
    if not screen.saved:
        return Replay()
    entry = saved.find(screen.saved)
    if entry is None:
        return Replay(
            problem=InvalidInput(
                "The saved comparison of this link is not here.",
                hint="Add its file under Saved comparisons, or ask the pipelines afresh.",
            )
        )
    if (state.flat(entry.header.query.text), _depth(entry.header)) != (screen.query, screen.depth):
        return Replay()
    if screen.exclude_identical not in (None, excludes_itself(entry.header.query)):
        return Replay()
    try:
        saved_comparison = resources.comparison(entry)
        saved_comparison.check_against(corpus)
    except LabError as error:
        return Replay(problem=error)
    by_spec = views.outcomes(saved_comparison)
    return Replay(
        saved_comparison.header,
        {spec: by_spec[spec] for spec in screen.pipelines if spec in by_spec},
    )


def problem_card(problem: LabError) -> None:
    """Why it cannot be shown again, and the two ways on. Nothing has been asked."""
    parts.error_card(problem, key="replay")
    with st.container(horizontal=True):
        st.button("Ask afresh", key="ask_afresh", icon=":material/refresh:", on_click=_ask_again)
        open_button("Saved comparisons")


def banner(replay: Replay, specs: Sequence[PipelineSpec]) -> None:
    """The quiet line above a comparison that is shown again; what it may not be sent."""
    _strangers(specs)
    if replay.header is None or not replay.outcomes:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="replayed"):
        words = views.banner(replay.header, len(replay.outcomes), len(specs))
        st.caption(f":material/history: {parts.literal(words)}", width="content")
        st.button("Ask again", key="ask_again", type="tertiary", on_click=_ask_again)


def _strangers(specs: Sequence[PipelineSpec]) -> None:
    """Keys are withheld from addresses that came with a saved comparison, until allowed."""
    hosts = sorted(hosts_in(specs) & keys.strangers())
    if not hosts or not keys.secrets():
        return
    with st.container(horizontal=True, vertical_alignment="center", key="strangers"):
        st.caption(
            f":material/key_off: Keys of this session are not sent to "
            f"{parts.literal(', '.join(hosts))}, which came with a saved comparison.",
            width="content",
        )
        st.button("Send them", key="trust_hosts", type="tertiary", on_click=_trust, args=(hosts,))


def _trust(hosts: Sequence[str]) -> None:
    keys.trust(hosts)
    st.rerun()


def controls(
    view: CompareView, screen: state.Screen, tasks: Sequence[run.Task], replay: Replay
) -> None:
    """Save what is on screen, and the way to what was saved."""
    if len(replay.outcomes) < len(view.columns):
        st.button(
            "Save this comparison",
            key="save_comparison",
            type="tertiary",
            icon=":material/bookmark_add:",
            disabled=view.pending or not view.ready,
            help="Keeps query, results and providers' answers, to be opened without a key or a "
            "network. Documents and keys are not kept.",
            on_click=_save,
            args=(view, screen, tasks),
        )
    open_button("Saved comparisons")


def open_button(label: str, key: str = "open_saved") -> None:
    """A button that opens the list of saved comparisons."""
    st.button(label, key=key, type="tertiary", icon=":material/bookmarks:", on_click=_show)


def latest() -> None:
    """The last few on the empty page."""
    entries = saved.list_saved()
    if not entries:
        open_button("Open a saved comparison")
        return
    st.markdown("Or open what was saved:")
    for entry in entries[:_LATEST]:
        st.button(
            parts.literal(views.line(entry).title),
            key=f"latest_{entry.id}",
            icon=":material/bookmark:",
            on_click=_open,
            args=(entry.id,),
        )
    open_button("All saved comparisons")


def is_open() -> bool:
    """Whether the list is to be drawn."""
    return bool(st.session_state.get(_OPEN))


def draw() -> None:
    """The list in its dialog, while it is open."""
    if is_open():
        _dialog()


def _show() -> None:
    editor.close()
    st.session_state["doc"] = ""
    st.session_state[_OPEN], st.session_state[_ASKED] = True, ("", "")
    st.rerun()


def _close() -> None:
    st.session_state[_OPEN] = False


@st.dialog("Saved comparisons", width="large", icon=":material/bookmarks:", on_dismiss=_close)
def _dialog() -> None:
    entries = saved.list_saved()
    message = st.session_state.pop("saved_told", None)
    if isinstance(message, LabError):
        parts.error_card(message, key="saved_told")
    elif message:
        st.success(parts.literal(str(message)), icon=":material/check:")
    if not entries:
        st.markdown("Nothing is saved yet. *Save this comparison* stands below the results.")
    for entry in entries[:_SHOWN]:
        _row(entry)
    if len(entries) > _SHOWN:
        st.caption(older_words(len(entries) - _SHOWN))
    st.file_uploader(
        "Add one that was saved elsewhere",
        type=["jsonl"],
        key=f"saved_file_{st.session_state.get('saved_turn', 0)}",
        max_upload_size=saved.MAX_BYTES // 2**20,
        on_change=_add,
    )


def _row(entry: saved.Entry) -> None:
    line = views.line(entry)
    what, of = st.session_state.get(_ASKED, ("", ""))
    with st.container(key=f"saved_{entry.id}", gap="xsmall", border=True):
        st.markdown(f"**{parts.literal(line.title)}**")
        st.caption(parts.literal(line.about))
        if of == entry.id and what == "rename":
            _rename_row(line)
        elif of == entry.id and what == "delete":
            _delete_row(line)
        else:
            _buttons(line)


def _buttons(line: views.SavedLine) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button("Open", key=f"saved_open_{line.id}", on_click=_open, args=(line.id,))
        st.button(
            "Rename", key=f"saved_rename_{line.id}", type="tertiary", on_click=_ask,
            args=("rename", line.id),
        )  # fmt: skip
        st.download_button(
            "Download",
            lambda: saved.read(line.id),
            line.file_name,
            "application/jsonl",
            key=f"saved_get_{line.id}",
            type="tertiary",
            on_click="ignore",
        )
        st.button(
            "Delete", key=f"saved_delete_{line.id}", type="tertiary", on_click=_ask,
            disabled=not may(Action.DELETE),
            args=("delete", line.id),
        )  # fmt: skip


def _rename_row(line: views.SavedLine) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "New name", line.title, max_chars=saved.MAX_TITLE, key=f"saved_name_{line.id}"
        )
        st.button("Rename", key=f"saved_do_{line.id}", on_click=_rename, args=(line.id,))
        st.button("Leave it", key=f"saved_no_{line.id}", type="tertiary", on_click=_ask,
                  args=("", ""))  # fmt: skip


def _delete_row(line: views.SavedLine) -> None:
    st.markdown("Delete this comparison? Links to it will no longer open.")
    with st.container(horizontal=True):
        st.button("Delete it", key=f"saved_do_{line.id}", on_click=_delete, args=(line.id,))
        st.button("Keep it", key=f"saved_no_{line.id}", type="tertiary", on_click=_ask,
                  args=("", ""))  # fmt: skip


def _ask(what: str, of: str) -> None:
    st.session_state[_ASKED] = (what, of)


def _save(view: CompareView, screen: state.Screen, tasks: Sequence[run.Task]) -> None:
    try:
        recordings = run.recordings(tasks)
        comparison = views.comparison(
            view.topic, run.outcomes(tasks), screen.depth, screen.show, recordings
        )
        secrets = saved.known_secrets(keys.secrets(), screen.pipelines)
        _ = saved.keep(comparison, secrets)
        st.session_state["saved_told"] = "Saved. It opens without a key or a network."
    except (LabError, OSError) as error:
        st.session_state["saved_told"] = resources.lab_error(error)
    _show()


def _add() -> None:
    turn = st.session_state.get("saved_turn", 0)
    file = st.session_state.get(f"saved_file_{turn}")
    if file is None:
        return
    try:
        entry = saved.find(saved.add(file.getvalue()))
        title = entry.header.title if entry else file.name
        st.session_state["saved_told"] = f"Added: {title}."
    except (LabError, OSError) as error:
        st.session_state["saved_told"] = resources.lab_error(error)
    st.session_state["saved_turn"] = turn + 1


def _open(comparison_id: str) -> None:
    entry = saved.find(comparison_id)
    if entry is None:
        st.session_state["saved_told"] = InvalidInput(
            "This saved comparison is no longer here.", hint="Somebody may have deleted it."
        )
        return
    if not _corpus_of(entry.header):
        st.session_state["saved_told"] = InvalidInput(
            f"The corpus {entry.header.corpus!r} of this comparison is not here "
            f"({entry.header.documents:,} documents, content {entry.header.content_hash[:12]}).",
            hint="Import it on the Corpora page under any name, then open this again. Only its "
            "results are saved, not its documents.",
        )
        st.session_state[_OPEN] = True
        return
    _put(entry)
    _close()
    st.rerun()


def _put(entry: saved.Entry) -> None:
    """Put a saved comparison's corpus, query and pipelines on screen, to be replayed."""
    typed_here = hosts_in(list(map(str, st.session_state.get("p") or ())))
    keys.distrust(hosts_in(entry.header.pipelines) - typed_here)
    st.session_state.update({k: v for k, v in _screen_of(entry).items() if v})
    st.session_state["doc"] = st.session_state["pin"] = ""


def _screen_of(entry: saved.Entry) -> dict[str, Any]:
    """What the bound widgets show, by their keys; "" for a corpus that is not here."""
    header = entry.header
    return {
        "corpus": _corpus_of(header),
        "q": state.flat(header.query.text),
        "p": list(header.pipelines)[:MAX_PIPELINES],
        "depth": _depth(header),
        "show": header.show if header.show in SHOWS else DEFAULT_SHOW,
        "saved": entry.id,
        "own": _own_document(header),
    }


def _own_document(header: saved.Header) -> str:
    """The choice under which it was made; "" where the corpus is not here or has no such ids."""
    name = _corpus_of(header)
    own_documents = resources.own_documents(name) if name else None
    if own_documents is None or not own_documents.queries:
        return ""
    return choice_of([header.query], own_documents.same_texts)


def _corpus_of(header: saved.Header) -> str:
    """The corpus here that holds those documents, else the one of that name, else ""."""
    entries = resources.corpora()
    same = [entry.name for entry in entries if entry.content_hash == header.content_hash]
    named = [entry.name for entry in entries if entry.name == header.corpus]
    return next(iter([*same, *named]), "")


def _depth(header: saved.Header) -> int:
    return header.depth if header.depth in DEPTHS else DEFAULT_DEPTH


def _rename(comparison_id: str) -> None:
    try:
        saved.rename(comparison_id, str(st.session_state.get(f"saved_name_{comparison_id}", "")))
    except (LabError, OSError) as error:
        st.session_state["saved_told"] = resources.lab_error(error)
        return
    _ask("", "")


def _delete(comparison_id: str) -> None:
    try:
        saved.delete(comparison_id)
    except LabError as error:
        st.session_state["saved_told"] = error
    _ask("", "")


def _ask_again() -> None:
    st.session_state["saved"] = ""
    st.rerun()

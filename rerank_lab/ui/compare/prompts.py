"""Prompts in the pipeline editor: choose one of a stage's kind, edit a copy, see what it sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Document, Query
from rerank_lab.rerankers.llm.base import LLMReranker
from rerank_lab.services import prompts as own_prompts
from rerank_lab.ui.shared import parts, resources, run, state
from rerank_lab.views import form
from rerank_lab.views import prompts as views

OPEN, _TEXT, _NAME = "prompt_open", "prompt_text", "prompt_name"
_TOLD, _SURE, _KEPT = "prompt_told", "prompt_sure", "prompt_kept"

Use = Callable[[form.Path, str], None]
"""Takes a stage's place and the name of the prompt that it uses from now on, "" for its own."""


@dataclass(frozen=True, slots=True)
class Editing:
    """Which stage's prompt is edited, and which of one's own it is, "" for a copy."""

    path: form.Path
    name: str


def field(reranker: LLMReranker, path: form.Path, key: str, common: dict[str, Any]) -> None:
    """The choice of a stage's prompt, with the ways to words of one's own."""
    choices = views.choices(reranker)
    with st.container(gap="xsmall"):
        st.selectbox(
            "Prompt",
            choices.names,
            index=choices.names.index(choices.current),
            format_func=choices.words,
            **common,
        )
        with st.container(horizontal=True, gap="small"):
            if choices.own:
                st.button("Edit…", key=f"{key}_edit", type="tertiary", on_click=_edit,
                          args=(path, choices.current, choices.current))  # fmt: skip
            st.button("Edit a copy…", key=f"{key}_copy", type="tertiary", on_click=_edit,
                      args=(path, choices.source, ""))  # fmt: skip


def is_open() -> bool:
    """Whether a prompt is being edited in place of the pipeline."""
    return st.session_state.get(OPEN) is not None


def close() -> None:
    """Back to the pipeline."""
    st.session_state[OPEN] = None


def draw(now: state.Screen, asking: LLMReranker, use: Use) -> None:
    """The prompt in a dialog that stands in place of the pipeline's."""
    editing: Editing = st.session_state[OPEN]
    title = f"Prompt {editing.name}" if editing.name else "A prompt of your own"
    opened = st.dialog(
        parts.literal(title), width="large", icon=":material/edit_note:", on_dismiss=close
    )
    opened(_dialog)(now, asking, editing, use)


def _edit(path: form.Path, source: str, name: str) -> None:
    try:
        st.session_state[_TEXT] = views.draft_of(source)
    except LabError as error:
        parts.say(str(error), icon=":material/error:")
        return
    st.session_state[_NAME] = name or views.free_name(source)
    st.session_state[OPEN] = Editing(path, name)
    st.session_state[_SURE] = False
    st.rerun()


def _dialog(now: state.Screen, asking: LLMReranker, editing: Editing, use: Use) -> None:
    kind = asking.kind
    st.text_area(
        "Text",
        key=_TEXT,
        height=330,
        help="YAML. It is checked when you leave the field or press Ctrl+Enter.",
    )
    text = str(st.session_state[_TEXT])
    prompt, problems = views.check(text, kind)
    _problems(problems)
    with st.expander(f"Placeholders that a prompt of the kind {kind} knows"):
        for one in views.placeholders(kind):
            st.markdown(f"`{{{one.name}}}` {'**needed**, ' if one.needed else ''}{one.about}")
    if prompt is not None:
        query, docs = _shown(now)
        _preview(views.preview(asking, prompt, query, docs))
    outcome = st.session_state.pop(_TOLD, None)
    if isinstance(outcome, LabError):
        parts.error_card(outcome, key="prompt")
    if st.session_state.get(_SURE):
        _confirm(now, editing, use)
    else:
        _ends(editing, use, can_save=prompt is not None)


def _problems(problems: Sequence[views.PromptProblem]) -> None:
    if not problems:
        st.caption(":material/check: Nothing is wrong with it.")
        return
    with st.container(border=True, key="prompt_problems", gap="xsmall"):
        for problem in problems:
            at = f"**Line {problem.line}** " if problem.line else ""
            st.markdown(f":material/error: {at}{parts.literal(problem.what)}")


def _preview(preview: views.PromptPreview) -> None:
    st.markdown("**What would be sent**")
    st.caption(parts.literal(preview.about))
    if not preview.turns:
        return
    with st.container(height=300, border=True, key="prompt_preview", gap="xsmall"):
        for role, text in preview.turns:
            st.caption(role)
            st.code(text, language=None, wrap_lines=True)


def _ends(editing: Editing, use: Use, *, can_save: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="prompt_ends"):
        st.text_input(
            "Name",
            key=_NAME,
            max_chars=64,
            help="Small letters, digits and hyphens. Another name keeps this one as it is.",
        )
        st.button(
            "Save and use",
            key="prompt_save",
            type="primary",
            disabled=not can_save,
            on_click=_save,
            args=(editing, use),
        )
        if editing.name:
            st.button("Delete", key="prompt_delete", type="tertiary", on_click=_ask, args=(True,))
        st.button("Back", key="prompt_back", type="tertiary", on_click=_back)


def _confirm(now: state.Screen, editing: Editing, use: Use) -> None:
    using = views.users(editing.name, now.pipelines, resources.engine())
    st.markdown(f"Delete the prompt **{parts.literal(editing.name)}**? {views.loss(using)}")
    with st.container(horizontal=True):
        st.button("Delete it", key="prompt_delete_now", on_click=_delete, args=(editing, use))
        st.button("Keep it", key="prompt_keep", type="tertiary", on_click=_ask, args=(False,))


def _shown(now: state.Screen) -> tuple[Query, Sequence[Document]]:
    """The query on screen and the first documents of its first column, or of the corpus."""
    query = Query.of(now.query or "a query of a few words")
    try:
        corpus = resources.corpus(now.corpus, now.exclude_identical)
    except LabError:
        return query, ()
    ids = run.first_documents(corpus, query, views.SHOWN)
    return query, [corpus.by_id[i] for i in ids] or corpus.examples[: views.SHOWN]


def _save(editing: Editing, use: Use) -> None:
    name = str(st.session_state[_NAME]).strip()
    try:
        own_prompts.save(name, str(st.session_state[_TEXT]), editing.name)
    except (LabError, OSError) as error:
        st.session_state[_TOLD] = resources.lab_error(error)
        return
    use(editing.path, name)
    _back()


def _ask(sure: bool) -> None:
    st.session_state[_SURE] = sure
    # Streamlit forgets what a field holds that is not drawn.
    if sure:
        st.session_state[_KEPT] = st.session_state[_NAME]
    else:
        st.session_state[_NAME] = st.session_state[_KEPT]


def _delete(editing: Editing, use: Use) -> None:
    try:
        own_prompts.delete(editing.name)
    except (LabError, OSError) as error:
        st.session_state[_TOLD] = resources.lab_error(error)
        return
    use(editing.path, "")
    _back()


def _back() -> None:
    close()
    st.rerun()

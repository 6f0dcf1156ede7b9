"""Small Streamlit parts that every page uses: error cards, empty states, plain text."""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

from rerank_lab.charts.figures import DARK, LIGHT, Theme
from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.ui.shared import resources
from rerank_lab.ui.shared.css import stylesheet
from rerank_lab.ui.shared.state import Screen

_SAY = "say"
_TYPOGRAPHY = re.compile(r"([-<>~=])(?=[-<>~=])")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~^=&@%/\"'?;,])")


def style() -> None:
    """The app's own style sheet, by `.st-key-*` only. Draw once a run, in the frame."""
    st.html(stylesheet(dark=theme() is DARK))


def theme() -> Theme:
    """The colours of the theme that the visitor sees."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def literal(text: str) -> str:
    """Text that Streamlit's Markdown shows as it stands: nothing in it is formatted or linked."""
    flat = " ".join(text.split())
    # A joiner after each colon keeps :material/...:, :red[...] and emoji codes from being read, and
    # one inside -> <= -- keeps these from becoming typography.
    flat = _TYPOGRAPHY.sub("\\1\u2060", flat)
    return _MARKDOWN.sub(r"\\\1", flat).replace(":", ":\u2060")


def say(text: str, icon: str | None = None) -> None:
    """Tell something in passing from a callback: `said` shows it.

    A toast drawn by the callback of a dialog would take the place of the page's first element,
    which is its style sheet.
    """
    st.session_state.setdefault(_SAY, []).append((literal(text), icon))


def said() -> None:
    """Show what callbacks had to say. Dialogs with callbacks that `say` something call it first."""
    for text, icon in st.session_state.pop(_SAY, ()):
        st.toast(text, icon=icon)


def error_card(error: LabError, key: str, retry: Callable[[], None] | None = None) -> None:
    """What failed and why, what to do next, details folded; the page around it lives on."""
    with st.container(border=True, key=f"error_{key}", gap="xsmall"):
        st.markdown(f":material/error: **{literal(error.message)}**")
        st.markdown(literal(error.hint))
        if retry is not None:
            st.button("Try again", key=f"retry_{key}", icon=":material/refresh:", on_click=retry)
        if error.details:
            with st.expander("Details"):
                st.code(error.details, language=None, wrap_lines=True)


def corpus_or_card(screen: Screen) -> Corpus | None:
    """The corpus on screen with the queries chosen there.

    None, and a card that says why, when it cannot be opened.
    """
    try:
        return resources.corpus(screen.corpus, screen.exclude_identical, screen.queries)
    except LabError as error:
        error_card(error, key="corpus_main")
        return None


def judged_corpus_or_card(screen: Screen) -> Corpus | None:
    """The corpus on screen with the judgments that count there; None, and a card, as above."""
    try:
        return resources.judged_corpus(
            screen.corpus, screen.exclude_identical, screen.judgments, screen.queries
        )
    except LabError as error:
        error_card(error, key="corpus_main")
        return None


def notices(texts: tuple[str, ...]) -> None:
    """Things to know that stop nothing: one box for all of them."""
    if texts:
        st.info("\n\n".join(map(literal, texts)), icon=":material/info:")


def bring_into_sight(key: str, *, once_for: str) -> None:
    """Scroll to the container of that key, once for each thing that is shown in it.

    The page scrolls by itself for nothing that was already scrolled to: whoever scrolls on is left
    alone while the page is drawn again.
    """
    state = f"in_sight_{key}"
    fresh = st.session_state.get(state) != once_for
    st.session_state[state] = once_for
    if fresh:
        scroll_to(key)


def scroll_to(key: str) -> None:
    """Scroll the page until the container or widget of that key is in sight."""
    script = f"""<script>
    document.querySelector(".st-key-{key}")?.scrollIntoView({{block: "nearest"}});
    </script>"""
    st.html(script, unsafe_allow_javascript=True)

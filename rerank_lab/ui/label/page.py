"""The Label page: set up a session, judge in it, see how far it is."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.records import MAX_JUDGE_CHARS, LabelSession
from rerank_lab.services.grading import judge_name
from rerank_lab.services.label_desk import LabelDesk, kept_sessions, open_desk
from rerank_lab.ui.label import adjudication, exchange, lead, llm_judge, query_sets, setup
from rerank_lab.ui.label import judge as judging
from rerank_lab.ui.label.address import JUDGE, PART, SESSION, VIEW, LabelPart, LabelView, opened
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.state import read_screen
from rerank_lab.views import label as views


def page() -> None:
    """Draw the page: what the address says, else the set-up and the sessions there are."""
    session_id = str(st.query_params.get(SESSION, ""))
    if not session_id:
        _start()
        return
    try:
        desk = _desk(session_id)
    except LabError as error:
        parts.error_card(error, key="label_session")
        st.button("All sessions", key="label_all", on_click=opened, args=("",))
        return
    if st.query_params.get(VIEW) == LabelView.LEAD:
        lead.draw(desk)
        return
    if st.query_params.get(VIEW) == LabelView.SETTLE:
        adjudication.draw(desk)
        return
    name = str(st.query_params.get(JUDGE, ""))
    if name:
        _judging(desk, name)
    else:
        _who(desk)


def _start() -> None:
    screen = read_screen()
    corpus = parts.corpus_or_card(screen)
    if corpus is None:
        return
    try:
        sessions = kept_sessions(corpus.name, resources.engine().home)
    except LabError as error:
        parts.error_card(error, key="label_store")
        return
    part = _part()
    if part is LabelPart.SESSIONS:
        setup.draw(screen, corpus, bool(sessions))
        _list(sessions)
    elif part is LabelPart.QUERIES:
        query_sets.draw(corpus)
    elif part is LabelPart.LLM_JUDGE:
        llm_judge.draw(screen, corpus)
    else:
        exchange.draw(corpus)


def _part() -> LabelPart:
    """Which part of the page is open; in the URL."""
    linked = str(st.query_params.get(PART, LabelPart.SESSIONS))
    names = tuple(part.value for part in LabelPart)
    chosen = st.segmented_control(
        "Part of the page",
        names,
        default=linked if linked in names else LabelPart.SESSIONS.value,
        key="label_part",
        label_visibility="collapsed",
        required=True,
    )
    part = LabelPart(chosen or LabelPart.SESSIONS)
    st.query_params[PART] = part.value
    return part


def _list(sessions: list[LabelSession]) -> None:
    if not sessions:
        return
    st.markdown("**Sessions on this corpus**")
    with st.container(key="label_sessions", gap="small"):
        for labels in sessions:
            with st.container(horizontal=True, vertical_alignment="center", border=True):
                st.markdown(
                    f"**{parts.literal(labels.title)}**  \n"
                    f":small[{parts.literal(views.session_line(labels))}]",
                    width="stretch",
                )
                for label, view in (("Judge", LabelView.JUDGE), ("Lead's view", LabelView.LEAD)):
                    st.button(
                        label,
                        key=f"label_{view}_{labels.session_id}",
                        on_click=opened,
                        args=(labels.session_id,),
                        kwargs={"view": view},
                    )


def _desk(session_id: str) -> LabelDesk:
    """The desk of a session, over its own corpus, whichever is chosen at the side."""
    home = resources.engine().home
    return _opened_desk(session_id, str(home))


@st.cache_resource(max_entries=16, show_spinner="Opening the session")
def _opened_desk(session_id: str, home: str) -> LabelDesk:
    return open_desk(session_id, resources.corpus, resources.engine().home)


def _judging(desk: LabelDesk, name: str) -> None:
    labels = desk.labels
    try:
        judge = judge_name(name)
        if labels.judges and judge not in labels.judges:
            raise views.unknown_judge(labels, judge)
    except LabError as error:
        parts.error_card(error, key="label_judge")
        _who(desk)
        return
    st.session_state["judge"] = judge  # also who grades on Compare
    judging.draw(desk, judge)


def _who(desk: LabelDesk) -> None:
    """Ask who judges: a name of the session, or any name where it has none."""
    labels = desk.labels
    with st.container(key="label_who", width=520):
        st.markdown(f"## {parts.literal(labels.title)}")
        st.markdown(views.welcome(labels))
        if labels.judges:
            st.markdown("**Who are you?**")
            with st.container(horizontal=True):
                for place, judge in enumerate(labels.judges):
                    st.button(
                        parts.literal(judge),
                        key=f"label_i_am_{place}",
                        on_click=opened,
                        args=(labels.session_id,),
                        kwargs={"judge": judge},
                    )
            return
        with st.form("label_name", border=False):
            name = st.text_input("Your name", key="label_own_name", max_chars=MAX_JUDGE_CHARS)
            if st.form_submit_button("Begin", type="primary", key="label_begin") and name.strip():
                opened(labels.session_id, judge=name.strip())
                st.rerun()

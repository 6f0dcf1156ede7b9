"""The lead's view: how far a session is, who judges, and what the labels say so far."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.agreement import JudgeAgreement
from rerank_lab.judging.next_best import Decision
from rerank_lab.services.chosen_sessions import disputed_session
from rerank_lab.services.labelling import LabelDesk
from rerank_lab.ui.label.address import opened
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views import label as views

_POLL_S = 5.0


def draw(desk: LabelDesk) -> None:
    """Draw the view; it follows the judges by itself."""
    labels = desk.labels
    with st.container(horizontal=True, vertical_alignment="center", key="lead_head"):
        st.markdown(f"## {parts.literal(labels.title)}", width="stretch")
        st.button(
            "Judge",
            key="lead_judge",
            type="primary",
            icon=":material/grading:",
            on_click=opened,
            args=(labels.session_id,),
        )
        st.button("All sessions", key="lead_all", on_click=opened, args=("",))
    if labels.simulated:
        st.info(
            "These judges are simulated. Nothing that they say counts outside this session.",
            icon=":material/smart_toy:",
        )
    st.fragment(_now, run_every=_POLL_S)(desk)
    _links(desk)


def _now(desk: LabelDesk) -> None:
    try:
        progress = desk.progress()
        state = len(desk.rows())
        decision = _decision(desk, desk.labels.session_id, state)
        agreement = _agreement(desk, desk.labels.session_id, state)
    except LabError as error:
        parts.error_card(error, key="lead")
        return
    with st.container(key="lead_now"):
        st.progress(
            min(1.0, progress.grades / max(1, progress.planned)),
            text=parts.literal(views.progress_sentence(progress)),
        )
        st.markdown(parts.literal(views.decision_words(decision)))
        if progress.grades:
            st.markdown("**Judges**")
            st.dataframe(views.judge_rows(progress), hide_index=True, key="lead_judges")
            st.markdown("**Agreement**")
            st.markdown(parts.literal(views.agreement_sentence(agreement)))
        if agreement is not None and agreement.disputed:
            disputed = views.disputed_rows(agreement, desk.labels, desk.corpus)
            st.dataframe(disputed, hide_index=True, key="lead_disputed")
            if not desk.labels.simulated:
                st.button(
                    "Settle what is disputed",
                    key="lead_settle",
                    icon=":material/gavel:",
                    on_click=_settle,
                    args=(desk, agreement),
                    help="A session with these documents alone. The newest grade counts.",
                )


def _settle(desk: LabelDesk, agreement: JudgeAgreement) -> None:
    home = resources.engine().home
    opened(disputed_session(desk.labels, agreement, desk.corpus, home).session_id)


@st.cache_resource(max_entries=16, show_spinner="Reckoning who leads")
def _decision(_desk: LabelDesk, session_id: str, rows: int) -> Decision | None:
    """Reckoned once for each state of a session."""
    return _desk.decision()


@st.cache_resource(max_entries=16, show_spinner=False)
def _agreement(_desk: LabelDesk, session_id: str, rows: int) -> JudgeAgreement | None:
    """Reckoned once for each state of a session."""
    return _desk.agreement()


def _links(desk: LabelDesk) -> None:
    st.markdown("**Links for judges**")
    for judge, link in views.judge_links(desk.labels, st.context.url or ""):
        st.caption(parts.literal(judge))
        st.code(link, language=None)

"""The lead's view: how far a session is, who judges, and what the labels say so far."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.agreement import JudgeAgreement
from rerank_lab.judging.next_best import Decision
from rerank_lab.services.chosen_sessions import disputed_session
from rerank_lab.services.label_desk import LabelDesk
from rerank_lab.ui.label.address import LabelView, opened
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views import label as views

_POLL_S = 5.0
_TEXT_COLUMNS = {
    name: st.column_config.TextColumn(name, width=240) for name in ("Query", "Document")
}


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
    # What is known at once comes first; who leads is reckoned last and stands above it.
    with st.container(key="lead_now"):
        try:
            progress = desk.progress()
            st.progress(
                min(1.0, progress.grades / max(1, progress.planned)),
                text=parts.literal(views.progress_sentence(progress)),
            )
            leader = st.container()
            if progress.grades:
                st.markdown("**Judges**")
                st.dataframe(views.judge_rows(progress), hide_index=True, key="lead_judges")
                _agreed(desk)
            with leader:
                _leads(desk)
        except LabError as error:
            parts.error_card(error, key="lead")


def _agreed(desk: LabelDesk) -> None:
    """How far the judges agree, and what they differ on."""
    agreement = agreement_of(desk)
    st.markdown("**Agreement**")
    st.markdown(parts.literal(views.agreement_sentence(agreement)))
    if agreement is not None and agreement.disputed:
        disputed = views.disputed_rows(agreement, desk.labels, desk.corpus)
        st.dataframe(disputed, hide_index=True, key="lead_disputed", column_config=_TEXT_COLUMNS)
        _settling(desk, agreement)


def _leads(desk: LabelDesk) -> None:
    """Which pipeline leads, and which labels would tell most."""
    decision = _decision(desk, desk.labels.session_id, desk.state)
    st.markdown(parts.literal(views.decision_words(decision)))
    if decision is not None and decision.candidates:
        _worth(decision, desk)


def _worth(decision: Decision, desk: LabelDesk) -> None:
    """The documents whose grades would tell most about who wins."""
    with st.expander(
        "Which labels would tell most", key="lead_worth", icon=":material/priority_high:"
    ):
        st.caption(
            "Expected change: how far the grade is expected to move the leader's lead, in "
            "nDCG@10. A session in the order Next best asks for these first."
        )
        st.dataframe(
            views.worth_rows(decision, desk.labels, desk.corpus),
            hide_index=True,
            key="lead_worth_rows",
            column_config=_TEXT_COLUMNS
            | {
                views.CHANGE: st.column_config.NumberColumn(views.CHANGE, format="%.5f"),
            },
        )


def _settling(desk: LabelDesk, agreement: JudgeAgreement) -> None:
    open_count = len(views.open_disputes(agreement, desk.settled()))
    with st.container(horizontal=True, vertical_alignment="center"):
        # A callback would draw this fragment alone, and the page would stay where it is.
        if st.button(
            "Settle what is disputed",
            key="lead_settle",
            icon=":material/gavel:",
            help="One after the other, with the grades and notes of both. What you decide counts.",
        ):
            opened(desk.labels.session_id, view=LabelView.SETTLE)
            st.rerun()
        if not desk.labels.simulated and st.button(
            "Have them judged again",
            key="lead_again",
            type="tertiary",
            help="A session with these documents alone, for somebody who sees no grades.",
        ):
            home = resources.engine().home
            opened(disputed_session(desk.labels, agreement, desk.corpus, home).session_id)
            st.rerun()
        st.caption(views.disputes_left(len(agreement.disputed), open_count))


@st.cache_resource(max_entries=16, show_spinner="Reckoning who leads")
def _decision(_desk: LabelDesk, session_id: str, state: tuple[int, int]) -> Decision | None:
    """Reckoned once for each state of a session."""
    return _desk.decision()


def agreement_of(desk: LabelDesk) -> JudgeAgreement | None:
    """How far the judges agree; reckoned once for each state of what they say."""
    return _agreement(desk, desk.labels.session_id, desk.state)


@st.cache_resource(max_entries=16, show_spinner=False)
def _agreement(_desk: LabelDesk, session_id: str, state: tuple[int, int]) -> JudgeAgreement | None:
    return _desk.agreement()


def _links(desk: LabelDesk) -> None:
    st.markdown("**Links for judges**")
    for judge, link in views.judge_links(desk.labels, st.context.url or ""):
        st.caption(parts.literal(judge))
        st.code(link, language=None)

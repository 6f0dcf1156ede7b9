"""Settling disputes: a document with the grades and notes of its judges, and a key to decide."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.agreement import DisputedPair
from rerank_lab.judging.records import JudgingPair, Judgment
from rerank_lab.services.access import Action
from rerank_lab.services.label_desk import LabelDesk
from rerank_lab.ui.compare.cards import escape, segments
from rerank_lab.ui.label.address import LabelView, opened
from rerank_lab.ui.label.lead import agreement_of
from rerank_lab.ui.shared import parts, visitor
from rerank_lab.ui.shared.waiting import short_key
from rerank_lab.views import label as views

_LEAD, _PLACE, _PROBLEM = "label_lead", "settle_place", "settle_problem"


def draw(desk: LabelDesk) -> None:
    """One dispute at a time, the widest gap first, those that nobody decided yet before others."""
    labels = desk.labels
    with st.container(horizontal=True, vertical_alignment="center", key="settle_head"):
        st.markdown(f"## {parts.literal(labels.title)}", width="stretch")
        st.button(
            "Lead's view",
            key="settle_back",
            icon=":material/arrow_back:",
            on_click=opened,
            args=(labels.session_id,),
            kwargs={"view": LabelView.LEAD},
        )
    try:
        agreement = agreement_of(desk)
        settled = desk.settled()
    except LabError as error:
        parts.error_card(error, key="settle")
        return
    disputed = agreement.disputed if agreement is not None else ()
    if agreement is None or not disputed:
        st.info("Judges differ on no document of this session.", icon=":material/handshake:")
        return
    unsettled = views.open_disputes(agreement, settled)
    place = _place(labels.session_id, list(disputed), unsettled)
    left = views.disputes_left(len(disputed), len(unsettled))
    st.caption(parts.literal(f"Dispute {place + 1:,} of {len(disputed):,}. {left}."))
    st.progress(1 - len(unsettled) / len(disputed))
    problem = st.session_state.pop(_PROBLEM, None)
    if isinstance(problem, LabError):
        parts.error_card(problem, key="settle_problem")
    _dispute(desk, disputed[place], settled.get((disputed[place].query_id, disputed[place].doc_id)))
    _moves(place, len(disputed))
    if not unsettled:
        st.success("Everything that judges differ on is settled.", icon=":material/done_all:")


def _place(session_id: str, disputed: list[DisputedPair], unsettled: list[DisputedPair]) -> int:
    """Where the lead is: where they went, else the first dispute that is open."""
    where, place = st.session_state.get(_PLACE, ("", 0))
    if where != session_id:
        place = disputed.index(unsettled[0]) if unsettled else 0
        st.session_state[_PLACE] = (session_id, place)
    return min(int(place), len(disputed) - 1)


def _go(place: int) -> None:
    st.session_state[_PLACE] = (st.session_state[_PLACE][0], place)


def _dispute(desk: LabelDesk, pair: DisputedPair, decision: Judgment | None) -> None:
    card = views.label_card(
        desk.labels, JudgingPair(pair.query_id, pair.doc_id), desk.corpus, 0, ""
    )
    st.html(f'<div class="rl-asked" dir="auto">{escape(card.query)}</div>')
    key = short_key(f"{pair.query_id} {pair.doc_id}")
    _buttons(desk, pair, decision, key)
    document, grades = st.columns([5, 3], gap="medium")
    with document.container(border=True, key="settle_document"):
        title = f"<b>{segments(card.title)}</b>\n" if card.title else ""
        text = segments(card.full or card.text)
        st.html(f'<div class="rl-full" dir="auto">{title}{text}</div>')
    with grades:
        for number, one in enumerate(views.disputed_grades(pair, desk.labels, desk.judgments())):
            with st.container(border=True, key=f"settle_grade_{number}", gap="xsmall"):
                st.markdown(f"**{parts.literal(one.grade)}**")
                st.caption(parts.literal(one.judge))
                if one.note:
                    st.markdown(f":material/sticky_note_2: {parts.literal(one.note)}")


def _buttons(desk: LabelDesk, pair: DisputedPair, decision: Judgment | None, key: str) -> None:
    """A button and a key for each grade; the one that was decided is marked."""
    if not visitor.welcome_to(Action.EDIT):
        return
    st.session_state.setdefault(_LEAD, st.session_state.get("judge") or "Lead")
    with st.container(horizontal=True, vertical_alignment="bottom", key="settle_buttons"):
        for one in desk.labels.scale.grades:
            chosen = decision is not None and decision.grade == one.value
            st.button(
                parts.literal(one.label),
                key=f"settle_{one.value}_{key}",
                shortcut=str(one.value) if 0 <= one.value <= 9 else None,
                icon=":material/check:" if chosen else None,
                type="primary" if chosen else "secondary",
                help=parts.literal(one.meaning) or None,
                on_click=_decide,
                args=(desk, pair, one.value, key),
            )
        if decision is not None:
            st.button(
                "Take back",
                key=f"settle_undo_{key}",
                shortcut="U",
                icon=":material/undo:",
                type="tertiary",
                on_click=_take_back,
                args=(desk, decision),
            )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Why (optional)", key=f"settle_note_{key}", max_chars=2000, width="stretch")
        st.text_input("You decide as", key=_LEAD, max_chars=100, width=180)
    if decision is not None:
        note = f": {decision.note}" if decision.note else ""
        st.caption(parts.literal(f"Decided by {decision.judge}{note}"))


def _decide(desk: LabelDesk, pair: DisputedPair, grade: int, key: str) -> None:
    note = str(st.session_state.get(f"settle_note_{key}") or "")
    try:
        earlier = desk.settled().get((pair.query_id, pair.doc_id))
        if earlier is not None:
            desk.unsettle(earlier)
        desk.settle(str(st.session_state[_LEAD]), (pair.query_id, pair.doc_id), grade, note)
    except LabError as error:
        st.session_state[_PROBLEM] = error
        return
    agreement = agreement_of(desk)
    unsettled = views.open_disputes(agreement, desk.settled()) if agreement is not None else []
    if agreement is not None and unsettled:
        disputed = list(agreement.disputed)
        here = disputed.index(pair) if pair in disputed else 0
        later = [one for one in unsettled if disputed.index(one) > here]
        _go(disputed.index((later or unsettled)[0]))


def _take_back(desk: LabelDesk, decision: Judgment) -> None:
    try:
        desk.unsettle(decision)
    except LabError as error:
        st.session_state[_PROBLEM] = error


def _moves(place: int, disputes: int) -> None:
    with st.container(horizontal=True, key="settle_moves"):
        for words, shortcut, to in (("Previous", "Left", place - 1), ("Next", "Right", place + 1)):
            st.button(
                words,
                key=f"settle_to_{words}",
                shortcut=shortcut,
                disabled=not 0 <= to < disputes,
                type="tertiary",
                on_click=_go,
                args=(to,),
            )

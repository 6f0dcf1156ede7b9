"""The judging screen: one document, the keys, nothing else.

The browser holds the next documents and an outbox of what was pressed (`judge.js`). Each message
brings the whole outbox; what is stored is acknowledged by its token, and anything else comes again.
So neither a lost connection nor a reload loses an answer or stores it twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources as package_files
from typing import Any

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.records import JudgingPair, Judgment
from rerank_lab.judging.sessions import PairKey, key_of
from rerank_lab.services.label_desk import GradeEntry, LabelDesk
from rerank_lab.ui.shared import parts
from rerank_lab.views import label as views

PREFETCHED = 24
"""How many documents the browser holds: enough for some minutes without a connection."""
_RECENT = 20
_MAX_EVENTS = 1000
_MAX_NOTE_CHARS = 2000


def draw(desk: LabelDesk, judge: str) -> None:
    """The screen of a judge, below it the guidelines."""
    with st.container(key="judging"):
        _screen(desk, judge)
        with st.expander("Guidelines", key="guidelines", icon=":material/menu_book:"):
            st.markdown(desk.labels.guidelines)


@st.fragment
def _screen(desk: LabelDesk, judge: str) -> None:
    key = f"judge_{desk.labels.session_id}"
    message = _message(key)
    try:
        acknowledged, problem = take_in(desk, judge, message)
        data = screen_data(desk, judge, message, acknowledged, problem)
    except LabError as error:
        parts.error_card(error, key="judging")
        return
    component = st.components.v2.component(
        "rerank_lab.judge", html=_asset("html"), css=_asset("css"), js=_asset("js")
    )
    component(key=key, data=data, on_message_change=_nothing, height="content")


def _nothing() -> None:
    """A state of a component needs a callback; the fragment itself reads the message."""


@cache
def _asset(kind: str) -> str:
    return package_files.files(__package__).joinpath(f"judge.{kind}").read_text("utf-8")


def _message(key: str) -> Mapping[str, Any]:
    state = st.session_state.get(key)
    message = state.get("message") if isinstance(state, Mapping) else None
    return message if isinstance(message, Mapping) else {}


def take_in(desk: LabelDesk, judge: str, message: Mapping[str, Any]) -> tuple[list[str], str]:
    """Store the answers of a message in their order.

    Args:
        desk: the session.
        judge: who sent it.
        message: as `judge.js` sends it; from a browser, so nothing in it is trusted.

    Returns:
        The tokens of what needs not be sent again, and what went wrong, "" for nothing. After an
        error of the database nothing more is stored, so that the order stays.
    """
    pairs = {views.card_id(*key_of(pair)): key_of(pair) for pair in desk.labels.pairs}
    events = message.get("events")
    acknowledged: list[str] = []
    problem = ""
    for event in (events if isinstance(events, list) else [])[:_MAX_EVENTS]:
        if not isinstance(event, Mapping) or not isinstance(event.get("token"), str):
            continue
        try:
            _store(desk, judge, event, pairs)
        except LabError as error:
            problem = f"Not saved: {error.message} {error.hint}"
            if error.kind == "storage_error":
                break
        acknowledged.append(event["token"])
    return acknowledged, problem


def _store(
    desk: LabelDesk, judge: str, event: Mapping[str, Any], pairs: Mapping[str, PairKey]
) -> None:
    token = str(event["token"])[:64]
    if event.get("kind") == "undo":
        row_id = event.get("row")
        desk.undo(
            judge,
            token=str(event.get("undoes") or "")[:64],
            row_id=row_id if isinstance(row_id, int) else 0,
        )
        return
    query_id, doc_id = pairs.get(str(event.get("card")), ("", ""))
    grade, seconds, position = (event.get(name) for name in ("grade", "seconds", "position"))
    desk.record_grade(
        judge,
        GradeEntry(
            query_id,
            doc_id,
            grade if isinstance(grade, int) else None,
            str(event.get("note") or "")[:_MAX_NOTE_CHARS],
            _seconds(seconds),
            str(event.get("hash") or "")[:64],
            str(event.get("passage") or "")[:500],
            position if isinstance(position, int) else 0,
            token,
        ),
    )


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return max(0.0, min(86_400.0, float(value)))


def screen_data(
    desk: LabelDesk,
    judge: str,
    message: Mapping[str, Any],
    acknowledged: list[str],
    problem: str = "",
) -> dict[str, Any]:
    """Everything that `judge.js` shows."""
    labels = desk.labels
    answers = views.answers_of(desk.rows(), judge)
    pairs = {views.card_id(*key_of(pair)): pair for pair in labels.pairs}
    skipped = message.get("skipped")
    names = skipped if isinstance(skipped, list) else []
    query_ids = {views.card_id(query_id, ""): query_id for query_id in labels.queries}
    coming = desk.next_pairs(
        judge,
        PREFETCHED,
        skipped=[key_of(pairs[name]) for name in map(str, names) if name in pairs],
        query_id=query_ids.get(str(message.get("query") or ""), ""),
    )
    progress = desk.progress()
    title, text = views.stop_words(progress.stop)
    current = str(message.get("current") or "")
    recent = [pairs[name] for name in list(answers)[-_RECENT:] if name in pairs]
    return {
        "session": labels.session_id,
        "judge": judge,
        "scale": [
            {"value": one.value, "label": one.label, "meaning": one.meaning}
            for one in labels.scale.grades
        ],
        "cards": _cards(desk, judge, coming, answers, len(answers)),
        "recent": _cards(desk, judge, recent, answers, max(0, len(answers) - len(recent))),
        "queries": views.queries_left(labels, desk.order(judge), answers),
        "grades": progress.grades,
        "planned": progress.planned,
        "left": progress.left,
        "pace": views.pace_words(progress, judge),
        "acked": acknowledged,
        "gone": [current] if current in answers else [],
        "problem": problem,
        "stop": title,
        "stop_text": text,
        "waiting_text": views.WAITING if progress.left else "",
        "beat": message.get("beat", 0),
    }


def _cards(
    desk: LabelDesk,
    judge: str,
    pairs: list[JudgingPair],
    answers: Mapping[str, list[Judgment]],
    before: int,
) -> list[dict[str, Any]]:
    places = views.query_places(desk.labels, desk.order(judge))
    cards = []
    for position, pair in enumerate(pairs, before + 1):
        place = places[pair.query_id]
        card = views.label_card(desk.labels, pair, desk.corpus, position, place)
        cards.append(card.to_json(answers.get(views.card_id(*key_of(pair)), ())))
    return cards

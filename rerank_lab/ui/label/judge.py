"""The judging screen: one document, the keys, nothing else.

The browser holds the next documents and an outbox of what was pressed (`judge.js`). Each message
brings the whole outbox; what is stored is acknowledged by its token, and anything else comes again.
So neither a lost connection nor a reload loses an answer or stores it twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources as package_files
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

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
    pairs = _deck(desk).pairs
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
    desk: LabelDesk, judge: str, event: Mapping[str, Any], pairs: Mapping[str, JudgingPair]
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
    pair = pairs.get(str(event.get("card")))
    query_id, doc_id = ("", "") if pair is None else key_of(pair)
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
    """Everything that `judge.js` shows.

    The list of queries is long: it comes with the first answer, and when it is on the screen.
    """
    labels, deck = desk.labels, _deck(desk)
    answers = desk.answers(judge)
    skipped = message.get("skipped")
    names = map(str, skipped if isinstance(skipped, list) else [])
    coming = desk.next_pairs(
        judge,
        PREFETCHED,
        skipped=[key_of(deck.pairs[name]) for name in names if name in deck.pairs],
        query_id=deck.query_ids.get(str(message.get("query") or ""), ""),
    )
    progress = desk.progress()
    title, text = views.stop_words(progress.stop)
    current = str(message.get("current") or "")
    at_hand = deck.pairs.get(current) if current else None
    lists = not message or bool(message.get("list"))
    left = desk.left_of_queries(judge) if lists else {}
    return {
        "session": labels.session_id,
        "judge": judge,
        "scale": [
            {"value": one.value, "label": one.label, "meaning": one.meaning}
            for one in labels.scale.grades
        ],
        "cards": _cards(deck, coming, answers, len(answers)),
        "recent": _recent(deck, answers),
        "queries": views.queries_left(labels, left) if lists else None,
        "grades": progress.grades,
        "planned": progress.planned,
        "left": progress.left,
        "pace": views.pace_words(progress, judge),
        "acked": acknowledged,
        "gone": [current] if at_hand is not None and key_of(at_hand) in answers else [],
        "problem": problem,
        "stop": title,
        "stop_text": text,
        "waiting_text": views.WAITING if progress.left else "",
        "beat": message.get("beat", 0),
    }


_DECKS: WeakKeyDictionary[LabelDesk, views.CardDeck] = WeakKeyDictionary()


def _deck(desk: LabelDesk) -> views.CardDeck:
    deck = _DECKS.get(desk)
    if deck is None:
        deck = _DECKS.setdefault(desk, views.CardDeck(desk.labels, desk.corpus))
    return deck


def _recent(deck: views.CardDeck, answers: dict[PairKey, list[Judgment]]) -> list[dict[str, Any]]:
    """What the judge answered last, oldest first."""
    keys = list(islice(reversed(answers), _RECENT))[::-1]
    pairs = [
        deck.pairs[name] for name in (views.card_id(*key) for key in keys) if name in deck.pairs
    ]
    return _cards(deck, pairs, answers, max(0, len(answers) - len(pairs)))


def _cards(
    deck: views.CardDeck,
    pairs: Sequence[JudgingPair],
    answers: Mapping[PairKey, list[Judgment]],
    before: int,
) -> list[dict[str, Any]]:
    return [
        deck.card(pair, position).to_json(answers.get(key_of(pair), ()))
        for position, pair in enumerate(pairs, before + 1)
    ]

"""One battle: a query, two sides without names, and the keys that vote."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.judging.arena.next_pair import ArenaBattle
from rerank_lab.judging.arena.showing import ArenaMode, Showing
from rerank_lab.judging.arena.tallies import standing
from rerank_lab.judging.records import ArenaSide, ArenaVote
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.results import Result
from rerank_lab.services import arena
from rerank_lab.services.arena import ArenaRequest
from rerank_lab.ui.compare.cards import escape, segments
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import pace, short_key
from rerank_lab.views.arena import ArenaCard, arena_cards, arena_labels, vote_line
from rerank_lab.views.formatting import counted, rough_duration
from rerank_lab.views.topic import Topic

_OPEN, _LEFT_OUT, _REVEAL, _SINCE = "arena_open", "arena_left_out", "arena_reveals", "arena_since"
VOTING = "voting"
"""The parameter of a link on which voting goes on."""
_PREFETCHED = 2
_FIRST_PAINT_S = 0.15
_CHOICES = (
    (ArenaSide.LEFT, "Left is better", "1", ":material/arrow_back:"),
    (ArenaSide.TIE, "Tie", "2", ":material/balance:"),
    (ArenaSide.BOTH_BAD, "Both bad", "3", ":material/thumb_down:"),
    (ArenaSide.RIGHT, "Right is better", "4", ":material/arrow_forward:"),
)
"""Outcome, words, key and icon of each button, as they stand from left to right."""


@dataclass(frozen=True)
class Ballot:
    """A battle on screen and all that a vote on it needs."""

    request: ArenaRequest
    corpus: Corpus
    store: JudgmentStore
    battle: ArenaBattle
    query: Query
    token: str

    @property
    def key(self) -> str:
        """For widgets: another battle has other buttons, so that no press goes to the wrong one."""
        return self.token[:10]


def is_open() -> bool:
    """Whether this session has begun to vote, or its link says so: a reload goes on."""
    return bool(st.session_state.get(_OPEN)) or st.query_params.get(VOTING) == "1"


def set_reveal(*, on: bool) -> None:
    """Whether the names are shown after each vote."""
    st.session_state[_REVEAL] = on


def draw(request: ArenaRequest, corpus: Corpus, store: JudgmentStore) -> None:
    """The battle that tells most; before the first one, the button that begins."""
    # A link alone asks no provider: whoever opens it says that it may begin.
    if not (st.session_state.get(_OPEN) or (is_open() and not request.asks_providers)):
        st.button(
            "Start voting",
            key="arena_start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_begin,
        )
        if request.asks_providers:
            st.caption("Each battle asks providers for both answers, at their price.")
        return
    votes = store.votes(corpus.name)
    queries = {query.id: query for query in corpus.queries}
    battles = arena.queue(request, corpus.queries, votes, _left_out(corpus))
    if not battles:
        _all_done(request, corpus, store, votes)
        return
    battle = battles[0]
    token = arena.battle_token(request, battle, votes)
    ballot = Ballot(request, corpus, store, battle, queries[battle.query_id], token)
    _since(ballot)
    jobs = arena.start(battle, ballot.query, corpus, session())
    for job in jobs:
        job.finished.wait(_FIRST_PAINT_S)
    polling = not all(job.finished.is_set() for job in jobs)
    st.html(f'<div class="rl-asked" dir="auto">{escape(ballot.query.text)}</div>')
    if polling:
        poll_s = pace(max(job.age_s for job in jobs))
        st.fragment(_waiting, run_every=poll_s)(ballot, poll_s)
    else:
        _sides(ballot, [job.wait() for job in jobs])
        _prefetch(ballot, battles[1 : 1 + _PREFETCHED])
    _last_vote(request, votes)


def _begin() -> None:
    st.session_state[_OPEN] = True
    st.query_params[VOTING] = "1"


def _left_out(corpus: Corpus) -> set[tuple[tuple[str, str], str]]:
    """Pairs and queries of this corpus on which there is nothing to vote on, as far as is known."""
    by_corpus: dict[str, set[tuple[tuple[str, str], str]]]
    by_corpus = st.session_state.setdefault(_LEFT_OUT, {})
    return by_corpus.setdefault(corpus.content_hash, set())


def _leave_out(ballot: Ballot) -> None:
    first, second = sorted((ballot.battle.left, ballot.battle.right))
    _left_out(ballot.corpus).add(((first, second), ballot.battle.query_id))


def _since(ballot: Ballot) -> float:
    """When this battle came on screen."""
    token, since = st.session_state.get(_SINCE, ("", 0.0))
    if token != ballot.token:
        since = time.time()
        st.session_state[_SINCE] = (ballot.token, since)
    return float(since)


def _waiting(ballot: Ballot, poll_s: float) -> None:
    """While the pipelines are at work; the page is drawn anew when both have ended."""
    table = resources.jobs()
    table.touch(resources.waiter())
    jobs = arena.start(ballot.battle, ballot.query, ballot.corpus, session())
    if all(job.finished.is_set() for job in jobs) or pace(max(j.age_s for j in jobs)) != poll_s:
        st.rerun()
    left, right = st.columns(2)
    for side, name in ((left, "Left"), (right, "Right")):
        with side.container(border=True, height=320):
            st.caption(
                f"{name}: waiting for both answers, {rough_duration(max(j.seconds for j in jobs))}"
            )
    st.button("Skip this query", key=f"skip_{ballot.key}", on_click=_leave_out, args=(ballot,))


def _prefetch(ballot: Ballot, battles: tuple[ArenaBattle, ...]) -> None:
    """Have the next answers ready, where that costs nothing."""
    if ballot.request.asks_providers:
        return
    queries = {query.id: query for query in ballot.corpus.queries}
    for battle in battles:
        arena.start(battle, queries[battle.query_id], ballot.corpus, session())


def _sides(ballot: Ballot, results: list[Result]) -> None:
    try:
        sides = arena.shown(ballot.request, ballot.battle, *results)
    except LabError as error:
        parts.error_card(error, key="arena_side")
        st.button("Next query", key=f"skip_{ballot.key}", on_click=_leave_out, args=(ballot,))
        return
    if sides is None:
        _leave_out(ballot)
        st.rerun()
        return
    topic = Topic(ballot.query, ballot.corpus)
    if sides.interleaved is not None:
        _mixed(ballot, sides, topic)
        return
    full = ballot.request.mode is ArenaMode.DOCUMENTS
    with st.container(horizontal=True, key="arena_votes", horizontal_alignment="center"):
        for outcome, words, key, icon in _CHOICES:
            st.button(
                words,
                key=f"vote_{outcome.value}_{ballot.key}",
                icon=icon,
                shortcut=key,
                on_click=_vote,
                args=(ballot, sides, outcome),
            )
        _undo_button(ballot)
    left, right = st.columns(2, gap="medium")
    for place, name, doc_ids in ((left, "Left", sides.left), (right, "Right", sides.right)):
        with place.container(border=True, key=f"arena_{name.lower()}"):
            st.markdown(f"**{name}**")
            cards = arena_cards(topic, doc_ids, full=full)
            st.html("".join(_card(card, full=full) for card in cards) or "No documents.")


def _mixed(ballot: Ballot, sides: Showing, topic: Topic) -> None:
    """One list of both: the voter marks what helps."""
    mixed = sides.interleaved
    if mixed is None:
        return
    st.caption("Mark every document that helps to answer, then vote. None marked: both bad.")
    keys = {doc_id: f"mark_{ballot.key}_{short_key(doc_id)}" for doc_id in mixed.doc_ids}
    for card in arena_cards(topic, mixed.doc_ids, full=False):
        with st.container(key=f"card_{short_key(card.doc_id)}", gap="xsmall"):
            st.checkbox(f"Helps: {parts.literal(card.title)}", key=keys[card.doc_id])
            st.html(_card(card, full=False, titled=False))
    chosen = {doc_id for doc_id, key in keys.items() if st.session_state.get(key)}
    with st.container(horizontal=True, key="arena_votes"):
        st.button(
            f"Vote: {counted(len(chosen), 'document')} marked",
            key=f"vote_mixed_{ballot.key}",
            type="primary",
            shortcut="Ctrl+Enter",
            on_click=_vote,
            args=(ballot, sides, mixed.outcome(chosen)),
        )
        _undo_button(ballot)


def _card(card: ArenaCard, *, full: bool, titled: bool = True) -> str:
    title = f'<div class="rl-title">{escape(card.title)}</div>' if titled else ""
    ending = '<span class="rl-note"> … (cut here)</span>' if card.cut else ""
    kind = "rl-full" if full else "rl-snippet"
    return (
        f'<div class="rl-side">{title}<div class="{kind}" dir="auto">{segments(card.text)}{ending}'
        "</div></div>"
    )


def _undo_button(ballot: Ballot) -> None:
    st.button(
        "Undo",
        key=f"undo_{ballot.key}",
        icon=":material/undo:",
        shortcut="U",
        type="tertiary",
        on_click=_undo,
        args=(ballot.request, ballot.corpus, ballot.store),
    )


def _vote(ballot: Ballot, sides: Showing, outcome: ArenaSide) -> None:
    seconds = time.time() - _since(ballot)
    try:
        arena.record_vote(
            ballot.store,
            ballot.corpus,
            ballot.request,
            ballot.battle,
            sides,
            outcome,
            token=ballot.token,
            seconds=round(seconds, 1),
        )
    except LabError as error:
        parts.say(f"The vote was not stored. {error.message} {error.hint}", ":material/error:")


def _undo(request: ArenaRequest, corpus: Corpus, store: JudgmentStore) -> None:
    try:
        undone = arena.undo_last(store, corpus, request.judge)
    except LabError as error:
        parts.say(f"Nothing was taken back. {error.message}", ":material/error:")
        return
    parts.say("Your last vote is taken back." if undone else "You have no vote to take back.")


def _all_done(
    request: ArenaRequest, corpus: Corpus, store: JudgmentStore, votes: list[ArenaVote]
) -> None:
    with st.container(border=True, key="arena_done"):
        st.markdown("**You have voted on everything there is to compare here**")
        st.markdown(
            "Every pair of these pipelines was put before you on every query on which their "
            "answers differ. Add a pipeline or queries, or look at the ratings."
        )
        st.button(
            "Undo", key="undo_done", icon=":material/undo:", on_click=_undo,
            args=(request, corpus, store),
        )  # fmt: skip
    _last_vote(request, votes)


def _last_vote(request: ArenaRequest, votes: list[ArenaVote]) -> None:
    """How many votes the judge gave, and, if asked for, the names behind the last one."""
    parts.said()
    own = [vote for vote in standing(votes) if vote.judge == request.judge]
    line = f"{counted(len(own), 'vote')} by {request.judge}. Keys: 1 to 4 vote, U takes back."
    if request.mode is ArenaMode.INTERLEAVED:
        line = f"{counted(len(own), 'vote')} by {request.judge}. Ctrl+Enter votes, U takes back."
    st.caption(parts.literal(line))
    if own and st.session_state.get(_REVEAL):
        specs = sorted({spec for vote in own for spec in (vote.left, vote.right)})
        st.caption(parts.literal(vote_line(own[-1], arena_labels(specs))))

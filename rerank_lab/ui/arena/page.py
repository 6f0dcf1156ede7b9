"""The Arena page: blind votes on what two pipelines answer, and what the votes say."""

from __future__ import annotations

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.judging.arena.showing import ArenaMode
from rerank_lab.judging.records import MAX_JUDGE_CHARS
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services.arena import MIN_PIPELINES, SHOWN_DEPTHS, ArenaRequest
from rerank_lab.ui.arena import ballot, results
from rerank_lab.ui.compare import chips
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import go_to
from rerank_lab.ui.shared.state import Screen, depth_box, read_screen
from rerank_lab.views.arena import MODE_NAMES, no_queries
from rerank_lab.views.labels import pipeline_colours

PART, MODE, JUDGE, TOP = "part", "mode", "judge", "top"
"""URL parameters: what is open, what is compared, who votes, how many documents of each."""
VOTE, RATINGS = "Vote", "Ratings"
_DEFAULT_TOP = 5


def page() -> None:
    """Draw the page."""
    now = read_screen()
    parts.notices(now.notices)
    corpus = parts.corpus_or_card(now)
    if corpus is None:
        return
    try:
        store = JudgmentStore.open(resources.engine().home)
        part = _part()
        if part == RATINGS:
            slots = {str(at_depth(spec, now.depth)): n for spec, n in _colours(now).items()}
            results.draw(corpus, store, slots)
        elif corpus.queries:
            _vote(now, corpus, store)
        else:
            _no_queries(corpus)
    except LabError as error:
        parts.error_card(error, key="arena")


def _part() -> str:
    """Voting, or the ratings; in the URL."""
    linked = str(st.query_params.get(PART, VOTE))
    part = st.segmented_control(
        "Part of the page",
        (VOTE, RATINGS),
        default=linked if linked in (VOTE, RATINGS) else VOTE,
        key="arena_part",
        label_visibility="collapsed",
        required=True,
    )
    st.query_params[PART] = part or VOTE
    return part or VOTE


def _vote(now: Screen, corpus: Corpus, store: JudgmentStore) -> None:
    with st.expander(
        "Pipelines, mode and judge", icon=":material/tune:", expanded=not ballot.is_open()
    ):
        request = _setup(now)
    if request is None:
        _introduction()
        return
    ballot.draw(request, corpus, store)


def _setup(now: Screen) -> ArenaRequest | None:
    """What is voted on; None, with the reason on screen, while something is missing."""
    chips.draw(now, _colours(now), depth_box)
    with st.container(horizontal=True, vertical_alignment="bottom", key="arena_setup"):
        mode = _mode_box()
        top = _top_box()
        judge = st.text_input(
            "Your name",
            value=str(st.query_params.get(JUDGE, "")),
            key="arena_judge",
            max_chars=MAX_JUDGE_CHARS,
            width=220,
            placeholder="Stands with your votes",
        ).strip()
        st.query_params[JUDGE] = judge
    reveal = st.toggle(
        "Show the names after each vote",
        key="arena_reveal",
        help="Never before it. Leave it off as long as you vote: names sway the next vote.",
    )
    ballot.set_reveal(on=reveal)
    if len(now.pipelines) < MIN_PIPELINES or not judge:
        missing = "at least two pipelines" if len(now.pipelines) < MIN_PIPELINES else "your name"
        st.caption(f"Before the first battle: {missing}.")
        return None
    specs = tuple(at_depth(spec, now.depth) for spec in now.pipelines)
    try:
        return ArenaRequest(specs, judge, mode, top)
    except InvalidInput as error:
        parts.error_card(error, key="arena_setup")
        return None


def _mode_box() -> ArenaMode:
    linked = str(st.query_params.get(MODE, ArenaMode.LISTS))
    modes = tuple(ArenaMode)
    mode = st.selectbox(
        "What is compared",
        modes,
        index=modes.index(ArenaMode(linked)) if linked in modes else 0,
        format_func=MODE_NAMES.__getitem__,
        key="arena_mode",
        width=200,
        help="Two lists: the first documents of both. Two documents: the first on which they "
        "differ. One mixed list: the documents of both in one list; mark those that help.",
    )
    st.query_params[MODE] = str(mode)
    return mode


def _top_box() -> int:
    linked = str(st.query_params.get(TOP, ""))
    tops = tuple(map(str, SHOWN_DEPTHS))
    top = st.selectbox(
        "Documents of each",
        SHOWN_DEPTHS,
        index=tops.index(linked) if linked in tops else SHOWN_DEPTHS.index(_DEFAULT_TOP),
        key="arena_top",
        width=150,
    )
    st.query_params[TOP] = str(top)
    return top


def _introduction() -> None:
    with st.container(border=True, key="arena_empty"):
        st.markdown("**Which answer is better?**")
        st.markdown(
            "You see one query and what two pipelines make of it, without their names. Say which "
            "is better, by mouse or key. From the votes follow ratings with intervals, and a "
            "winner only where one was shown."
        )


def _no_queries(corpus: Corpus) -> None:
    with st.container(border=True, key="arena_no_queries"):
        st.markdown(f"**{parts.literal(corpus.name)} has no queries yet**")
        st.markdown(parts.literal(no_queries(corpus)))
        if st.button("Add queries", key="to_change", icon=":material/upload:"):
            go_to("corpora.py", part="Change")


def _colours(now: Screen) -> dict[PipelineSpec, int]:
    known: dict[PipelineSpec, int] = st.session_state.get("colours", {})
    colours = pipeline_colours(now.pipelines, known, len(charts.LIGHT.pipelines))
    st.session_state["colours"] = colours
    return colours

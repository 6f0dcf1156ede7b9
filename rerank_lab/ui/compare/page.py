"""The Compare page: query, chips, verdict, bump chart, columns, and the evidence below."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.services.presets import SAMPLE_QUERIES
from rerank_lab.ui.compare import (
    cards,
    chips,
    columns,
    document,
    editor,
    evidence,
    grading,
    present,
    saved,
    walk,
)
from rerank_lab.ui.compare.finished import view_of
from rerank_lab.ui.models import health
from rerank_lab.ui.shared import parts, resources, run, tour
from rerank_lab.ui.shared.navigation import CORPORA_PAGE, go_to
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen, read_screen, set_query
from rerank_lab.views.bump import bump, has_chart
from rerank_lab.views.compare import CompareOptions, CompareView
from rerank_lab.views.labels import pipeline_colours
from rerank_lab.views.present import ANSWERS
from rerank_lab.views.text import shorten
from rerank_lab.views.topic import Topic

_EXAMPLES = 5


def page() -> None:
    """Draw the page."""
    screen = read_screen()
    parts.notices(screen.notices)
    colours = _colours(screen)
    if not screen.present:
        walk.draw(screen)
        chips.draw(screen, colours)
    corpus = parts.judged_corpus_or_card(screen)
    if corpus is None:
        if screen.present:
            present.leave_button()
        return
    saved.draw()
    replay = saved.replayed(screen, corpus)
    if replay.problem is not None:
        if screen.present:
            present.leave_button()
        saved.problem_card(replay.problem)
    elif screen.present and not (screen.query and screen.pipelines):
        present.empty(screen, corpus)
    elif not screen.query:
        _welcome(corpus)
    elif not screen.pipelines:
        st.info("Add a pipeline to see what it makes of this query.", icon=":material/add:")
    else:
        _answers(screen, Topic.of(screen.query, corpus), colours, replay)


def _answers(
    screen: Screen, topic: Topic, colours: Mapping[PipelineSpec, int], replay: saved.Replay
) -> None:
    tasks = run.submit(topic, screen.pipelines, screen.depth, replay.outcomes)
    run.wait_a_little(tasks)
    checks = health.submit(task.spec for task in tasks if task.job is not None)
    if screen.present:
        poll_s = run.pace(tasks) or health.pace(checks)
        with present.stage(screen, topic.corpus):
            draw_stage = st.fragment(_presented, run_every=poll_s)
            draw_stage(screen, topic, tasks, checks, colours, poll_s)
        return
    parts.said()
    grading.problem_card()
    menus = grading.Grading.of(topic)
    st.fragment(_results)(screen, topic, tasks, checks, colours, replay, menus)
    if health.pending(checks):
        st.fragment(_checks_end, run_every=health.pace(checks))(checks)
    if tour.is_on():
        view = view_of(topic, run.outcomes(tasks), _options(screen, topic))
        tour.beside_compare(view, colours)
    if grading.is_waiting():
        grading.ask_name(topic)
    elif screen.doc and not editor.is_open() and not saved.is_open():
        view = view_of(topic, run.outcomes(tasks), _options(screen, topic))
        document.show(view, screen.doc, menus)


def _options(screen: Screen, topic: Topic, show: int | None = None) -> CompareOptions:
    """What the columns show of each document; `show` cards, else as many as the screen says."""
    return CompareOptions(show or screen.show, screen.pin, resources.rarity(topic.corpus))


def _view_now(
    screen: Screen, topic: Topic, tasks: tuple[run.Task, ...], show: int | None = None
) -> CompareView:
    """What is known by now; whoever waits for it is noted as still there."""
    resources.jobs().touch(resources.waiter())
    view = view_of(topic, run.outcomes(tasks), _options(screen, topic, show))
    health.remember_orders(view)
    return view


def _checks_end(checks: health.Checks) -> None:
    """Draw the page anew when the health checks have ended. It draws nothing itself."""
    if not health.pending(checks):
        st.rerun()


def _results(
    screen: Screen,
    topic: Topic,
    tasks: tuple[run.Task, ...],
    checks: health.Checks,
    colours: Mapping[PipelineSpec, int],
    replay: saved.Replay,
    menus: grading.Grading | None,
) -> None:
    """All results known so far. What waits looks after itself, and has the page drawn anew."""
    view = _view_now(screen, topic, tasks)
    saved.banner(replay, screen.pipelines)
    _verdict(view)
    _bump(view, screen)
    columns.draw(view, tasks, colours, checks, replay.outcomes, menus)

    def beside() -> None:
        grading.label_button(view, screen.show)
        saved.controls(view, screen, tasks, replay)

    evidence.draw(
        view,
        colours,
        beside=beside,
        can_measure=not replay.outcomes,
    )


def _presented(
    screen: Screen,
    topic: Topic,
    tasks: tuple[run.Task, ...],
    checks: health.Checks,
    colours: Mapping[PipelineSpec, int],
    poll_s: float | None,
) -> None:
    """As `_results`, on one screen for an audience. It runs again while something is pending."""
    if poll_s is not None and (run.pace(tasks) or health.pace(checks)) != poll_s:
        st.rerun()
    view = _view_now(screen, topic, tasks, ANSWERS)
    present.draw(view, screen.focus, checks, colours)


def _verdict(view: CompareView) -> None:
    with st.container(key="verdict"):
        if view.verdict:
            st.html(cards.verdict(view.verdict))
        elif view.pending:
            st.skeleton(height=34)


def _bump(view: CompareView, screen: Screen) -> None:
    """The chart. Its height is the same from the first moment, so that the columns stay put."""
    with st.container(key="bump_area", gap="small"):
        everything = st.session_state.get("bump_all", False)
        data = bump(view, k=10, pin=screen.pin, everything=everything)
        if data is None:
            if view.pending and has_chart(screen.pipelines):
                st.skeleton(height=charts.PAGE_SIZES.height)
                _bump_legend(view, "")
            return
        words = ""
        if not data.lines:
            words = data.nothing_crosses(so_far=bool(view.pending))
            data = bump(view, k=10, pin=screen.pin, everything=True) or data
        if not data.lines:
            st.caption(words)
            return
        # Its least width is by the pipelines asked for, so that it stays as they arrive.
        with st.container(key=f"bump_strip_{len(view.columns)}"):
            st.plotly_chart(
                PlainFigure(charts.bump_chart(data, parts.theme())),
                theme=None,
                key="bump",
                on_select=_pin_clicked,
                selection_mode="points",
                config={"displayModeBar": False},
                alt="The ranks of each document from the first stage to each pipeline",
            )
        _bump_legend(view, words or data.left_out_words, crosses=not words)


def _bump_legend(view: CompareView, words: str, *, crosses: bool = True) -> None:
    """What the marks mean, and the choice of all documents; `words` tell what is drawn."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(cards.legend(view.judged), width="content")
        st.toggle("All of the top 10", key="bump_all", help=words or None)
        if not crosses:
            st.caption(words, width="content")


def _pin_clicked() -> None:
    points = st.session_state["bump"]["selection"]["points"]
    st.session_state["pin"] = str(points[0]["customdata"]) if points else ""
    st.rerun()


def _colours(screen: Screen) -> dict[PipelineSpec, int]:
    """Colours by pipeline, kept for the session."""
    known: dict[PipelineSpec, int] = st.session_state.get("colours", {})
    colours = pipeline_colours(screen.pipelines, known, len(charts.LIGHT.pipelines))
    st.session_state["colours"] = colours
    return colours


def _welcome(corpus: Corpus) -> None:
    with st.container(key="welcome", width=760):
        tour.offer()
        st.subheader("One query, several rerankers, side by side")
        st.markdown(
            "Ask something above. Each pipeline answers in a column of its own: you see which "
            "documents it moves, what that does to the judged answers, and how long it takes."
        )
        samples = examples(corpus)
        if samples:
            st.markdown(f"Try one of the queries of **{parts.literal(corpus.name)}**:")
        for place, query in enumerate(samples):
            st.button(
                parts.literal(shorten(query.text, 110)),
                key=f"example_{place}",
                icon=":material/search:",
                on_click=set_query,
                args=(query.text,),
            )
        saved.latest()
        if st.button(
            "Bring your own documents", key="to_corpora", icon=":material/upload:", type="tertiary"
        ):
            go_to(CORPORA_PAGE, view="Bring your own")


def examples(corpus: Corpus) -> list[Query]:
    """A handful of the corpus' queries: the chosen ones first, then judged ones, then others."""
    by_id = {query.id: query for query in corpus.queries}
    chosen = [by_id[i] for i in SAMPLE_QUERIES.get(corpus.name, ()) if i in by_id]
    judged = [query for query in corpus.queries if corpus.qrels.get(query.id)]
    return list(dict.fromkeys([*chosen, *judged, *corpus.queries]))[:_EXAMPLES]

"""Grades in place on Compare: a small menu at each document, durable, with undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.judging.records import MAX_JUDGE_CHARS, Judgment
from rerank_lab.judging.scales import Scale
from rerank_lab.services import grading
from rerank_lab.services.chosen_sessions import query_session
from rerank_lab.services.grading import GradeRequest
from rerank_lab.ui.shared import parts, resources, state
from rerank_lab.ui.shared.navigation import LABEL_PAGE, go_to
from rerank_lab.views import grading as views
from rerank_lab.views.compare import CompareView
from rerank_lab.views.topic import Topic

JUDGE = "judge"
"""Where the session keeps the judge's name: asked once, then known on every page."""
_WAITING = "grade_waiting"
_PROBLEM = "grade_problem"


@dataclass(frozen=True, slots=True)
class Grading:
    """What the menus of one query offer, and what this judge says of its documents now."""

    topic: Topic
    scale: Scale
    by_doc: Mapping[str, Judgment]

    @classmethod
    def of(cls, topic: Topic) -> Grading | None:
        """For a query on screen; None, and a card, when the lab database cannot be read."""
        home, corpus = resources.engine().home, topic.corpus
        try:
            by_doc = grading.grades_of(_judge(), topic.query, corpus, home) if _judge() else {}
            return cls(topic, grading.scale_of(corpus, home), by_doc)
        except LabError as error:
            parts.error_card(error, key="grading")
            return None

    def menu(self, doc_id: str, key: str, passage_id: str = "") -> None:
        """The menu of one document."""
        own = self.by_doc.get(doc_id)
        st.menu_button(
            views.menu_label(own),
            views.menu_options(self.scale, own),
            key=key,
            type="tertiary",
            format_func=lambda option: parts.literal(views.option_words(option, self.scale)),
            on_click=lambda: self.choose(doc_id, passage_id, str(st.session_state[key])),
        )

    def label(self, doc_id: str) -> str:
        """What stands on the menu of a document."""
        return views.menu_label(self.by_doc.get(doc_id))

    def options(self, doc_id: str) -> dict[str, str]:
        """The options of a document's menu, and what stands there for each."""
        options = views.menu_options(self.scale, self.by_doc.get(doc_id))
        return {option: views.option_words(option, self.scale) for option in options}

    def choose(self, doc_id: str, passage_id: str, option: str) -> None:
        """Do what an option of a document's menu says. Call it from a callback only."""
        if option == views.TAKE_BACK:
            row, home = self.by_doc[doc_id], resources.engine().home
            _keep(lambda: grading.take_back(row, home), f"Your grade of {doc_id} is taken back.")
        else:
            value = views.grade_of_option(option)
            request = GradeRequest(self.topic.query, doc_id, value, _judge(), passage_id)
            if request.judge:
                _grade(request, self.topic)
            else:
                st.session_state[_WAITING] = request
        st.rerun()


def label_button(view: CompareView, depth: int) -> None:
    """The way to a labelling session for this query, with the documents on screen."""
    rankings = {
        str(column.spec): column.outcome.ranking
        for column in view.ready
        if column.outcome.ranking is not None
    }
    pressed = st.button(
        "Label this query",
        key="label_query",
        type="tertiary",
        icon=":material/grading:",
        disabled=not any(map(len, rankings.values())),
        help=f"Starts a labelling session with the first {depth} documents of each pipeline, one "
        "at a time, without ranks or scores.",
    )
    if not pressed:
        return
    topic, home = view.topic, resources.engine().home
    try:
        session = query_session(topic.query, rankings, depth, topic.corpus, home)
    except LabError as error:
        parts.error_card(error, key="label_query")
        return
    go_to(LABEL_PAGE, session=session.session_id)


def is_waiting() -> bool:
    """Whether a grade waits for the judge's name."""
    return _WAITING in st.session_state


def ask_name(topic: Topic) -> None:
    """Ask who grades, and keep the grade that waits for it."""
    st.dialog("Who is judging?", on_dismiss=_forget)(_name_form)(topic)


def problem_card() -> None:
    """Why the last grade could not be kept, if so."""
    error = st.session_state.pop(_PROBLEM, None)
    if isinstance(error, LabError):
        parts.error_card(error, key="grade")


def _name_form(topic: Topic) -> None:
    st.markdown(
        "Your name or initials stand beside each grade, so that colleagues can compare theirs with "
        "yours. Asked once for each visit."
    )
    with st.form("judge_name", border=False):
        typed = st.text_input("Name", key="judge_typed", max_chars=MAX_JUDGE_CHARS)
        pressed = st.form_submit_button("Save the grade", type="primary", key="judge_save")
    if not pressed:
        return
    try:
        name = grading.judge_name(str(typed or ""))
    except LabError as error:
        parts.error_card(error, key="judge_name")
        return
    request: GradeRequest = st.session_state.pop(_WAITING)
    st.session_state[JUDGE] = name
    _grade(GradeRequest(request.query, request.doc_id, request.grade, name), topic)
    st.rerun()


def _grade(request: GradeRequest, topic: Topic) -> None:
    home = resources.engine().home
    words = views.kept_words(request.doc_id, request.grade, state.judgment_source())
    _keep(lambda: grading.grade(request, topic.corpus, home), words)


def _keep(write: Callable[[], Judgment], words: str) -> None:
    """Write, and only then say that it is kept."""
    try:
        write()
    except LabError as error:
        st.session_state[_PROBLEM] = error
    else:
        parts.say(words, icon=":material/check:")


def _judge() -> str:
    return str(st.session_state.get(JUDGE) or "")


def _forget() -> None:
    st.session_state.pop(_WAITING, None)

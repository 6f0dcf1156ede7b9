"""What is put before a language model, and whether reranking helps it: a question on Evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.rag.study import RagStudy
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.services import rag
from rerank_lab.services.evaluated_corpus import evaluated_corpus
from rerank_lab.services.rag import RagRequest
from rerank_lab.ui.compare.cards import escape
from rerank_lab.ui.evaluate import study_files
from rerank_lab.ui.evaluate.language_model import language_model
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.formatting import counted
from rerank_lab.views.rag import (
    HEADING_HELP,
    HEADINGS,
    RagView,
    budget_words,
    example_cells,
    rag_view,
)

_SIZES = (1, 3, 5, 8, 10, 20)
_BUDGETS = (0, 500, 1000, 2000, 4000, 8000)


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """Set up, progress, and what came of it."""
    if at_work(rag.jobs_of(evaluation.id, session()), key="rag_job"):
        return
    try:
        stored = rag.rag_studies(evaluation.id, resources.engine().home)
        _setup(evaluation, screen, again=bool(stored))
    except LabError as error:
        parts.error_card(error, key="rag")
        return
    if stored:
        _results(stored[0], evaluation.id)


def _setup(evaluation: Evaluation, screen: Screen, *, again: bool) -> None:
    opened = resources.corpus(evaluation.design.corpus, screen.exclude_identical)
    corpus = evaluated_corpus(evaluation, opened)
    with st.container(horizontal=True, vertical_alignment="bottom", key="rag_setup"):
        documents = st.selectbox(
            "Documents",
            _SIZES,
            index=_SIZES.index(rag.DOCUMENTS),
            key="rag_documents",
            width=130,
            help="How many documents a language model is given at most.",
        )
        budget = st.selectbox(
            "Tokens at most",
            _BUDGETS,
            format_func=budget_words,
            key="rag_budget",
            width=150,
            help="Words and punctuation marks; the context ends before what would not fit.",
        )
        pressed = st.button(
            "Look again" if again else "Look at the contexts",
            type="secondary" if again else "primary",
            icon=":material/play_arrow:",
            key="rag_start",
        )
    request = RagRequest(evaluation.design.pipelines, int(documents or 1), int(budget or 0))
    request = replace(request, answering=_answering(request, corpus))
    request = replace(request, grader=_grader(request, corpus))
    if pressed:
        rag.start(request, evaluation, corpus, session())
        st.rerun()


def _answering(request: RagRequest, corpus: Corpus) -> JudgeModel | None:
    """The language model that is to answer, where queries have reference answers; None for none."""
    referenced = len(request.referenced(corpus))
    if not referenced:
        st.caption(
            "No query has a reference answer, so a language model's answers cannot be checked: "
            "write them beside the queries, in a field called answers."
        )
        return None
    return language_model(
        "rag",
        "Let a language model answer",
        f"It answers {counted(referenced, 'query', 'queries')} with reference answers from each "
        "context. Documents leave the house unless the endpoint is yours.",
        lambda model: rag.answer_estimate(
            replace(request, answering=model), corpus, resources.engine()
        ),
    )


def _grader(request: RagRequest, corpus: Corpus) -> JudgeModel | None:
    """The model that grades what the other one answers; None for none."""
    if request.answering is None:
        return None
    return language_model(
        "rag_grader",
        "Let a language model grade the answers",
        "It sees the question, the reference answers and the answer. Without it an answer is right "
        "when it holds a reference word for word.",
        lambda model: rag.grading_estimate(
            replace(request, grader=model), corpus, resources.engine()
        ),
    )


def _results(study: RagStudy, experiment_id: str) -> None:
    view = rag_view(study)
    if view.answer:
        st.markdown("\n".join(f"- {parts.literal(sentence)}" for sentence in view.answer))
    st.html(context_table(view))
    st.caption(parts.literal(HEADING_HELP))
    if view.differences:
        st.markdown("**Reranking against its first stage**")
        st.html(difference_table(view))
    if view.answers:
        st.markdown(f"**Answers of {parts.literal(study.answer_model)}**")
        st.html(answer_table(view))
    st.markdown("**Where the right documents stand**")
    st.html(place_table(view))
    if view.examples:
        with st.expander("Wrong documents above every right one", key="rag_examples"):
            st.html(example_table(view))
    for note in view.notes:
        st.caption(parts.literal(note))
    study_files.draw("contexts", experiment_id, study)


def context_table(view: RagView) -> str:
    """A row for each kind of context."""
    return _table(HEADINGS, [row.cells for row in view.contexts])


def difference_table(view: RagView) -> str:
    """A row for each pipeline and figure; those shown to differ in bold."""
    rows = [(row.pipeline, row.figure, row.difference, row.p) for row in view.differences]
    heads = ("Pipeline", "Of", "Difference", "Holm p")
    bold = frozenset(n for n, row in enumerate(view.differences) if row.significant)
    return _table(heads, rows, text=2, bold=bold)


def answer_table(view: RagView) -> str:
    """A row for each kind of context that was answered from."""
    return _table(view.answer_headings, [row.cells for row in view.answers])


def place_table(view: RagView) -> str:
    """How many right documents stand at each place of the context."""
    longest = max((len(places) for _, places in view.places), default=0)
    heads = ("Context of", *(str(place) for place in range(1, longest + 1)))
    rows = [
        (name, *(f"{count:,}" for count in places), *[""] * (longest - len(places)))
        for name, places in view.places
    ]
    return _table(heads, rows)


def example_table(view: RagView) -> str:
    """Queries with the wrong document that leads their context."""
    heads = ("Pipeline", "Query", "Wrong document", "Best right one")
    rows = [example_cells(label, example) for label, example in view.examples]
    return _table(heads, rows, text=3)


_LEFT = ' style="text-align:left;white-space:normal;min-width:9rem"'
_NUMBER = ' class="rl-n"'


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    text: int = 1,
    bold: frozenset[int] = frozenset(),
) -> str:
    """A table of escaped texts: the first `text` columns are words, the others numbers."""

    def kind(place: int) -> str:
        return _LEFT if place < text else _NUMBER

    head = "".join(f'<th scope="col"{kind(n)}>{escape(one)}</th>' for n, one in enumerate(heads))
    lines = []
    for number, row in enumerate(rows):
        cells = [f"<b>{escape(one)}</b>" if number in bold else escape(one) for one in row]
        lines.append("".join(f"<td{kind(n)}>{one}</td>" for n, one in enumerate(cells)))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        '<div class="rl-strip"><table class="rl-table rl-contexts"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )

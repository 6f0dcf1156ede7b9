"""The Calibrate page: what a pipeline's score is worth, and from where on to trust it."""

from __future__ import annotations

from typing import cast

import streamlit as st

from rerank_lab.charts.calibration import reliability_chart, threshold_chart
from rerank_lab.charts.figures import Figure
from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.calibration import (
    METHODS,
    MIN_EACH,
    MIN_QUERIES,
    Calibration,
    Method,
)
from rerank_lab.jobs.table import Job, JobState
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services import calibrate
from rerank_lab.services.calibrate import CalibrationRequest
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.ui.shared import parts, resources, waiting
from rerank_lab.ui.shared.navigation import compare_button, go_to
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen, read_screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views import calibration as views
from rerank_lab.views.formatting import counted
from rerank_lab.views.hosted import estimates_words
from rerank_lab.views.labels import short_labels

SHOWN, GRADE = "cal", "grade"
"""URL parameters: the pipeline whose calibration is on screen, and the grade that counts."""
_ASKED = "calibrate_asked"
"""In the session: the calibration that was pressed for, so that one that failed is tried anew."""

_PLOT = {"displayModeBar": False}


def page() -> None:
    """Draw the page."""
    now = read_screen()
    parts.notices(now.notices)
    corpus = parts.judged_corpus_or_card(now)
    if corpus is None:
        return
    judged = sum(bool(corpus.qrels.get(query.id)) for query in corpus.queries)
    if judged < MIN_QUERIES:
        _too_little(corpus, judged)
        return
    _setup(now, judged)
    spec = str(st.query_params.get(SHOWN, ""))
    if spec:
        _shown(corpus, spec, _grade(), now)
    else:
        st.markdown("**What is a score worth, and from where on can it be trusted?**")
        st.caption(
            "A reranker's score orders documents; it does not say how likely one is relevant. "
            "Judgments do: a curve from scores to probabilities is fitted on some queries and "
            "tested on others, so that a threshold can be chosen with open eyes."
        )


def _too_little(corpus: Corpus, judged: int) -> None:
    with st.container(border=True, key="calibrate_empty"):
        have = counted(judged, "judged query", "judged queries") if judged else "no judged queries"
        st.markdown(f"**{parts.literal(corpus.name)} has {have}**")
        st.markdown(
            "Calibrating means to learn from judgments how likely a document with a given score "
            f"is relevant. That takes at least {MIN_QUERIES} judged queries, and {MIN_EACH} "
            "candidates each that are relevant and that are not. Add judgments, or choose one of "
            "the samples."
        )
        if st.button("Add queries and judgments", key="to_change", icon=":material/upload:"):
            go_to("corpora.py", part="Change")


def _setup(now: Screen, judged: int) -> None:
    specs = views.offered(now.pipelines)
    labels = short_labels(specs)
    with st.container(horizontal=True, vertical_alignment="bottom", key="calibrate_setup"):
        spec = st.selectbox(
            "Pipeline",
            specs,
            index=len(specs) - 1 if specs else None,
            format_func=lambda one: labels.get(one, str(one)),
            key="calibrate_pipeline",
            help="One of the pipelines on Compare whose last stage gives scores.",
        )
        grade = st.selectbox(
            "Relevant from grade",
            (1, 2, 3),
            index=_grade() - 1,
            key="calibrate_grade",
            width=150,
            help="Judgments of this grade or a better one count as relevant.",
        )
        pressed = st.button(
            "Calibrate",
            type="primary",
            icon=":material/tune:",
            key="calibrate",
            disabled=spec is None,
            help=f"Runs {judged} judged queries; scores known already cost nothing.",
        )
    if not spec:
        return
    deepened = at_depth(spec, now.depth)
    request = CalibrationRequest(deepened, int(grade or 1))
    corpus = resources.judged_corpus(now.corpus, now.exclude_identical, now.judgments, now.queries)
    _estimate(request, corpus, now.depth)
    if pressed:
        st.query_params[SHOWN] = str(deepened)
        st.query_params[GRADE] = str(grade)
        key = calibrate.job_key(request, corpus, session())
        waiting.come_back(key)
        st.session_state[_ASKED] = key


def _estimate(request: CalibrationRequest, corpus: Corpus, depth: int) -> None:
    """What the judged queries would take of a provider; nothing for a pipeline that asks none."""
    for of_stages in calibrate.cost_estimates(request, corpus, depth, resources.engine()).values():
        st.caption(f":material/payments: {parts.literal(estimates_words(of_stages))}")


def _grade() -> int:
    text = str(st.query_params.get(GRADE, ""))
    return int(text) if text in ("1", "2", "3") else 1


def _job(request: CalibrationRequest, corpus: Corpus) -> Job[Calibration]:
    """The calibration's job: the one at work or done, else a new one."""
    key = calibrate.job_key(request, corpus, session())
    known = resources.jobs().get(key)
    asked_anew = st.session_state.pop(_ASKED, None) == key
    if known is not None and known.state is JobState.FAILED and not asked_anew:
        return known
    return calibrate.start(request, corpus, session())


def _waits_for_a_press(request: CalibrationRequest, corpus: Corpus) -> bool:
    """Whether opening this would spend: a link alone starts no calls to providers."""
    key = calibrate.job_key(request, corpus, session())
    known = resources.jobs().get(key) is not None or st.session_state.get(_ASKED) == key
    return calls_out(request.pipeline) and not known


def _shown(corpus: Corpus, spec: str, grade: int, now: Screen) -> None:
    try:
        request = CalibrationRequest(resolve(spec), grade)
        if calibrate.job_key(request, corpus, session()) in waiting.left():
            st.caption("Cancelled. What was scored is kept: press Calibrate to go on.")
            return
        if _waits_for_a_press(request, corpus):
            st.caption(
                "This link would ask a provider every judged query. Choose the pipeline and press "
                "Calibrate to do that."
            )
            return
        job = _job(request, corpus)
    except LabError as error:
        parts.error_card(error, key="calibration")
        return
    if not job.state.ended:
        waiting.watch(job)
        return
    if job.error is not None:
        parts.error_card(job.error, key="calibration")
        return
    _result(corpus, job.wait(), now)


def _result(corpus: Corpus, calibration: Calibration, now: Screen) -> None:
    precision = st.session_state.get("calibrate_precision", 80)
    method = st.session_state.get("calibrate_method") or calibration.chosen.method
    result_view = views.view(calibration, method, precision / 100)
    st.markdown(f"#### {parts.literal(result_view.answer)}")
    with st.container(horizontal=True, vertical_alignment="bottom", key="calibrate_choices"):
        st.segmented_control(
            "Curve",
            METHODS,
            default=calibration.chosen.method,
            format_func=lambda one: views.NAMES[cast(Method, one)],
            key="calibrate_method",
            required=True,
        )
        st.slider(
            "Precision wanted (%)",
            50,
            99,
            80,
            key="calibrate_precision",
            width=320,
            help="Of the documents kept, so many should be relevant.",
        )
    st.markdown(parts.literal(result_view.cut_answer))
    left, right = st.columns(2)
    with left:
        st.caption("Predicted and observed: on the dotted line the curve is right")
        _chart(
            reliability_chart(result_view.fitted, parts.theme()),
            "reliability",
            alt="The share of relevant documents, by the probability that the curve gives",
        )
    with right:
        st.caption("What a threshold keeps")
        _chart(
            threshold_chart(result_view.fitted, result_view.cut, parts.theme()),
            "threshold",
            alt="Precision, and what is kept, by threshold",
        )
    _take_away(corpus, result_view, now)
    st.dataframe(
        [dict(zip(_HEADS, row, strict=True)) for row in result_view.rows],
        hide_index=True,
        key="calibrate_table",
        width="content",
    )
    st.caption(parts.literal(result_view.ground))


_HEADS = ("Curve", "Brier score", "Log loss", "Calibration error")


def _chart(figure: Figure, key: str, alt: str) -> None:
    st.plotly_chart(
        PlainFigure(figure), key=f"calibrate_{key}", config=_PLOT, width="stretch", alt=alt
    )


def _take_away(corpus: Corpus, result_view: views.CalibrationView, now: Screen) -> None:
    spec = result_view.advised
    st.code(str(spec), language=None, wrap_lines=True)
    with st.container(horizontal=True):
        others = tuple(one for one in now.pipelines if one != spec)
        compare_button(
            "Use in Compare",
            "calibrate_use",
            corpus=corpus.name,
            pipelines=(*others[-4:], spec),
            primary=True,
        )

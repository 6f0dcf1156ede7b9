"""Setting up a session: one form, every field with a default, and what it will take."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import JobState
from rerank_lab.judging.records import JudgingOrder
from rerank_lab.judging.scales import SCALES, Scale, own_scale
from rerank_lab.judging.sessions import PairKey
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.pipeline import pipelines as parsed_pipelines
from rerank_lab.services import labelling
from rerank_lab.services.label_sample import start_sample
from rerank_lab.services.labelling import SessionRequest
from rerank_lab.ui.label.address import LabelView, opened
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import go_to
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import running, watch
from rerank_lab.views import label as views

_OWN = "own"
_JOB = "label_setup_job"
_DEPTHS = (3, 5, 10, 20, 50)


def draw(screen: Screen, corpus: Corpus, others: bool) -> None:
    """The form, or the job that sets a session up."""
    if _waiting():
        return
    if not corpus.queries:
        with st.container(border=True, key="label_empty"):
            st.markdown(f"**{parts.literal(corpus.name)} has no queries to judge documents for**")
            st.markdown("Add a query file to this corpus, or choose one of the samples.")
            if st.button("Add queries", key="to_change", icon=":material/upload:"):
                go_to("corpora.py", part="Change")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("## Which documents answer the query?", width="stretch")
    st.caption(
        "People grade documents, one at a time, without seeing which pipeline brought them. What "
        "they say decides which pipeline is better, here and on every other page."
    )
    with st.expander("New session", expanded=not others, key="label_new", icon=":material/add:"):
        _form(screen, corpus)


def _waiting() -> bool:
    """Watch the job that sets a session up; go to the session when it is done."""
    key = st.session_state.get(_JOB)
    job = resources.jobs().get(key) if key is not None else None
    if job is None:
        return False
    if running([job]) is not None:
        watch(job)
        return True
    del st.session_state[_JOB]
    if job.state is JobState.DONE and job.result:
        opened(str(job.result), view=LabelView.LEAD)
        st.rerun()
    if job.error is not None and job.state is JobState.FAILED:
        parts.error_card(job.error, key="label_setup")
    return False


def _form(screen: Screen, corpus: Corpus) -> None:
    """The fields; not a Streamlit form, so that the estimate follows them."""
    try:
        request = _request(screen, corpus)
        effort = labelling.estimate(request, corpus, resources.engine().home)
        request.check(corpus)
    except LabError as error:
        parts.error_card(error, key="label_form")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="label_go"):
        pressed = st.button(
            "Start", type="primary", key="label_start", icon=":material/play_arrow:"
        )
        st.markdown(parts.literal(views.estimate_words(effort)), width="stretch")
    sample = st.button(
        "See a sample session with simulated judges",
        key="label_sample",
        type="tertiary",
        icon=":material/smart_toy:",
    )
    if pressed or sample:
        try:
            job = (
                start_sample(corpus, session())
                if sample
                else labelling.start_session(request, corpus, session())
            )
        except LabError as error:
            parts.error_card(error, key="label_start")
            return
        st.session_state[_JOB] = job.key
        st.rerun()


def _request(screen: Screen, corpus: Corpus) -> SessionRequest:
    title = st.text_input(
        "Name", f"{corpus.name} labels", key=f"label_title_{corpus.name}", max_chars=80
    )
    texts = {query.id: query.text for query in corpus.queries}
    linked = str(st.query_params.get("query", ""))
    query_ids = st.multiselect(
        "Queries",
        list(texts),
        default=[linked] if linked in texts else [],
        format_func=lambda query_id: texts[query_id],
        key=f"label_queries_{corpus.name}_{linked}",
        placeholder=f"All {len(texts):,} queries",
    )
    on_screen = [str(spec) for spec in screen.pipelines]
    specs = st.multiselect(
        "Pipelines whose results are judged",
        on_screen,
        default=on_screen,
        key="label_pipelines",
        accept_new_options=True,
        wrap=True,
        help="Their first documents are put together, without saying who brought which.",
    )
    depth, judges, overlap = _effort()
    scale, guidelines = _scale()
    request = SessionRequest(
        title.strip() or "Labels",
        tuple(pipeline.spec for pipeline in parsed_pipelines(specs)),
        tuple(query_ids),
        depth,
        judges,
        scale,
        guidelines,
        overlap=overlap,
    )
    with st.expander("More", key="label_more"):
        return _with_more(request, corpus)


def _effort() -> tuple[int, tuple[str, ...], float]:
    """How many documents of each pipeline, who judges, and the share that two judge."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        depth = st.selectbox(
            "Documents of each", _DEPTHS, index=_DEPTHS.index(5), key="label_depth", width=150
        )
        judges = st.multiselect(
            "Judges",
            [],
            key="label_judges",
            accept_new_options=True,
            placeholder="Anybody with the link",
            help="Type a name and press Enter. Each judge gets a link of their own.",
            wrap=True,
        )
        overlap = st.select_slider(
            "Judged by two",
            [0, 10, 20, 30, 50, 100],
            value=20,
            format_func=lambda share: f"{share} %",
            key="label_overlap",
            width=200,
            help="So that you see whether judges agree. It costs as many grades more.",
        )
    return int(depth or 5), tuple(judges), int(overlap or 0) / 100


def _scale() -> tuple[Scale, str]:
    name = st.selectbox(
        "Scale",
        [*SCALES, _OWN],
        format_func=lambda one: SCALES[one].title if one in SCALES else "Own labels",
        key="label_scale",
    )
    if name == _OWN:
        labels = st.text_input(
            "Labels, from worst to best", "no, partly, yes", key="label_own_labels"
        )
        scale = own_scale(tuple(one.strip() for one in labels.split(",")))
    else:
        scale = SCALES[str(name)]
    with st.popover("Guidelines", icon=":material/menu_book:", width="content"):
        guidelines = st.text_area(
            "What judges go by (Markdown)",
            scale.guidelines,
            key=f"label_guidelines_{name}",
            height=280,
            width=560,
        )
    return scale, guidelines


def _with_more(request: SessionRequest, corpus: Corpus) -> SessionRequest:
    """Budget, samples, control questions and order."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = st.number_input(
            "Stop after", 0, 100_000, 0, 10, key="label_budget", width=150,
            help="Grades of all judges together; 0 for all documents.",
        )  # fmt: skip
        below = st.number_input(
            "From below, %", 0, 100, 0, 5, key="label_below", width=150,
            help="Random documents from below the pool, as a share of it. They tell how much "
            "that is relevant the pool misses.",
        )  # fmt: skip
        possible = labelling.controls_possible(corpus, request.scale)
        controls = st.number_input(
            "Control questions", 0, 100, 0, 2, key="label_controls", width=150,
            disabled=not possible,
            help="Documents whose grade the corpus knows, mixed in for every judge."
            if possible else "The corpus has no judgments on this scale.",
        )  # fmt: skip
        seed = st.number_input("Seed", 0, 2**31, 0, key="label_seed", width=150)
    order = _order(request)
    version = JudgmentStore.open(resources.engine().home).version(corpus.name)
    judged = _judged_pairs(corpus, corpus.name, corpus.content_hash, version)
    leave_out = bool(judged) and st.checkbox(
        f"Leave out the {len(judged):,} documents that people judged before",
        value=True,
        key="label_leave_out",
    )
    duplicates = st.checkbox(
        "Put near-duplicates one after another",
        key="label_duplicates",
        help="Quicker, but judges then see how documents differ, not how well each answers.",
    )
    return replace(
        request,
        budget=int(budget),
        below_pool=int(below) / 100,
        controls=int(controls) if possible else 0,
        seed=int(seed),
        order=order,
        group_duplicates=duplicates,
        leave_out=judged if leave_out else frozenset(),
    )


def _order(request: SessionRequest) -> JudgingOrder:
    """In which order documents are judged; by worth only where pipelines can be compared."""
    order: JudgingOrder = st.selectbox(
        "Order",
        [JudgingOrder.QUERY_BY_QUERY, JudgingOrder.NEXT_BEST, JudgingOrder.UNCERTAINTY,
         JudgingOrder.DISAGREEMENT],
        format_func=lambda one: views.ORDERS[one],
        key="label_order",
        disabled=len(request.pipelines) < 2,
        help="By worth, judges jump from query to query, and fewer grades show who wins.",
    )  # fmt: skip
    return order if len(request.pipelines) > 1 else JudgingOrder.QUERY_BY_QUERY


@st.cache_resource(max_entries=4, show_spinner=False)
def _judged_pairs(
    _corpus: Corpus, name: str, content_hash: str, version: str
) -> frozenset[PairKey]:
    """Found once for each state of corpus and judgments: it takes half a second for 100,000."""
    return labelling.judged_pairs(_corpus, resources.engine().home)

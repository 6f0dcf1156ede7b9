"""The Train page: can several signals together rank better than the best of them?"""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.languages import LANGUAGES
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.fusion.learned.learners import load_library
from rerank_lab.fusion.learned.settings import LEARNERS, LearnerSettings
from rerank_lab.fusion.learned.store import list_models, load_model
from rerank_lab.jobs.table import JobState
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services import train
from rerank_lab.services.cost_estimates import query_estimates
from rerank_lab.services.train import LEAST_QUERIES, TrainingRequest, useful_queries
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import go_to
from rerank_lab.ui.shared.state import Screen, read_screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import running, watch
from rerank_lab.ui.train import results as train_results
from rerank_lab.views import hosted
from rerank_lab.views import train as views
from rerank_lab.views.form import parsed
from rerank_lab.views.formatting import counted

SHOWN = train_results.SHOWN


def page() -> None:
    """Draw the page."""
    now = read_screen()
    parts.notices(now.notices)
    corpus = parts.judged_corpus_or_card(now)
    if corpus is None:
        return
    useful = len(useful_queries(corpus))
    if useful < LEAST_QUERIES:
        _too_few(corpus, useful)
    else:
        _setup(now, corpus)
    model_name = str(st.query_params.get(SHOWN, ""))
    if model_name:
        _shown(model_name, now)
    elif useful >= LEAST_QUERIES:
        st.markdown("**Can these signals together rank better than the best of them?**")
        st.caption(
            f"A model learns from {counted(useful, 'judged query', 'judged queries')} how much to "
            "trust each signal, and is tested on queries that it did not see. Beside the signals "
            "it sees ranks, words in common, lengths and the numbers in your documents' columns."
        )
    train_results.kept(list_models(), model_name)


def _too_few(corpus: Corpus, useful: int) -> None:
    have = counted(useful, "query", "queries") if useful else "no query"
    with st.container(border=True, key="train_empty"):
        st.markdown(f"**{parts.literal(corpus.name)} has {have} with a relevant document**")
        st.markdown(
            "Training means to learn from judgments which signals to trust: keywords, embeddings, "
            f"rerankers, your own columns. That takes at least {LEAST_QUERIES} such queries, and "
            "50 or more to be of use. Add judgments, or choose one of the samples."
        )
        if st.button("Add queries and judgments", key="to_change", icon=":material/upload:"):
            go_to("corpora.py", part="Change")


def _setup(now: Screen, corpus: Corpus) -> None:
    models = list_models()
    taken = [model.name for model in models]
    with st.container(key="train_setup", gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            first, signals = _choices(now)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(
                "Name",
                views.free_name(corpus.name, taken),
                key=f"train_name_{corpus.name}_{len(taken)}",
                width=260,
                help="What the model is called in pipelines.",
            )
            earlier = next((one for one in models if one.name == str(name).strip()), None)
            replace = earlier is not None and st.checkbox(
                f"Replace the model {parts.literal(earlier.name)}",
                key=f"train_replace_{earlier.digest}",
                help="There is a model of this name. It is lost when the new one is kept.",
            )
            pressed = st.button(
                "Train",
                type="primary",
                icon=":material/model_training:",
                key="train",
                disabled=not signals or not name or (earlier is not None and not replace),
            )
        spec, problem = parsed(f"{first} >> ltr({','.join(signals)})")
        if spec is not None:
            _estimate(spec, now, corpus)
        settings, folds, language = _knobs()
    if not pressed:
        return
    if problem is not None:
        parts.error_card(problem, key="train_plan")
    if spec is None:
        return
    try:
        pipeline = at_depth(spec, now.depth)
        request = TrainingRequest(pipeline, str(name).strip(), settings, folds, language, replace)
        train.start(request, corpus, session())
    except LabError as error:
        parts.error_card(error, key="train_plan")
        return
    st.query_params[SHOWN] = request.name


def _choices(now: Screen) -> tuple[str, list[str]]:
    """First stage and signals."""
    first = st.selectbox(
        "First stage",
        views.first_stages(now.pipelines),
        key="train_first",
        width=220,
        help=f"Finds the {now.depth} candidates that are put in order.",
    )
    signals = st.multiselect(
        "Signals",
        views.signals(),
        default=list(views.SIGNALS),
        key="train_signals",
        accept_new_options=True,
        wrap=True,
        help="First stages and rerankers whose scores and ranks the model sees. Any spec "
        "of one can be typed in.",
    )
    return str(first), list(signals)


def _estimate(spec: PipelineSpec, now: Screen, corpus: Corpus) -> None:
    """What hosted signals would take, before anything is sent."""
    usable_queries = useful_queries(corpus)
    try:
        words = hosted.editor_words(
            query_estimates(spec, usable_queries[0], corpus, now.depth, resources.engine())
        )
    except LabError:
        return  # told when Train is pressed
    if words:
        st.caption(
            f":material/payments: {parts.literal(words)} Training asks "
            f"{counted(len(usable_queries), 'query', 'queries')}."
        )


def _knobs() -> tuple[LearnerSettings, int, str]:
    """The settings that hardly anybody changes."""
    with st.expander("Learner, folds, seed"), st.grid("auto", min_column_width=150):
        learner = st.selectbox("Learner", LEARNERS, key="train_learner")
        folds = st.number_input("Folds", 2, 10, 5, key="train_folds")
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="train_seed")
        rounds = st.number_input("Trees", 1, 2000, 100, key="train_rounds")
        leaves = st.number_input("Leaves of a tree", 2, 255, 7, key="train_leaves")
        language = st.selectbox("Language of the words", LANGUAGES, key="train_language")
    try:
        load_library(learner)
    except LabError as error:
        parts.error_card(error, key="train_learner")
    settings = LearnerSettings(learner, rounds=int(rounds), leaves=int(leaves), seed=int(seed))
    return settings, int(folds), str(language)


def _shown(name: str, now: Screen) -> None:
    jobs = train.jobs_of(name, session())
    job = running(jobs)
    if job is not None:
        watch(job)
        st.caption("You may leave: this goes on without you.")
        return
    last = next(reversed(jobs), None)
    if last is not None and last.state is JobState.FAILED and last.error is not None:
        parts.error_card(last.error, key="train_job")
        return
    try:
        model = load_model(name)
    except InvalidInput as error:
        if last is not None and last.state is JobState.CANCELLED:
            st.caption("Cancelled. Scores that were computed are kept: press Train to go on.")
        else:
            parts.error_card(error, key="train_model")
        return
    train_results.draw(model, now)

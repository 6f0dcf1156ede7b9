"""What all sessions of the app share: engine, job table, opened corpora. The only st.cache calls.

The job table and the engine are the process' own, so that the command line, the HTTP API and every
browser tab meet in the same cache and wait for the same jobs.
"""

from __future__ import annotations

import uuid

import streamlit as st

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.paths import app_folders
from rerank_lab.corpora import Corpus, CorpusEntry, list_corpora, load_corpus
from rerank_lab.corpora.exclusions import with_exclusions
from rerank_lab.evaluation.experiments import Evaluation, load_experiment
from rerank_lab.evaluation.experiments.store import ExperimentRecord, RecordState
from rerank_lab.jobs.guests import LaneGuests
from rerank_lab.jobs.table import Job, JobState, JobTable
from rerank_lab.judging.records import LabQuerySet
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.services import indexes
from rerank_lab.services.comparisons import Comparison, Entry, load
from rerank_lab.services.qrels import (
    JudgmentSource,
    LabLabels,
    lab_labels,
    lab_store,
    with_judgments,
)
from rerank_lab.services.query_choice import QueryChoice
from rerank_lab.services.session import Session
from rerank_lab.ui import first_imports
from rerank_lab.views.own_documents import OwnDocuments
from rerank_lab.views.text import Rarity


@st.cache_resource
def engine() -> Engine:
    """The engine over the data folder, reading only where a visitor's pipeline may."""
    shared = default_engine()
    shared.readable = app_folders(st.get_option("server.address"))
    return shared


@st.cache_resource
def jobs() -> JobTable:
    """The one job table of this process."""
    first_imports.finish()  # before the first job imports any of it in a thread of its own
    return JobTable()


@st.cache_resource
def guests() -> LaneGuests:
    """Work beside the jobs of this process, such as requests of the API, in turns with them."""
    return LaneGuests(jobs())


@st.cache_resource(max_entries=1, ttl=10, show_spinner=False)
def corpora() -> tuple[CorpusEntry, ...]:
    """Samples and imported corpora. Call `refresh_corpora` after an import or a deletion."""
    return list_corpora()


def refresh_corpora() -> None:
    """After an import, a deletion, or queries and judgments added to a corpus."""
    corpora.clear()
    for cached in (
        _opened,
        _excluding,
        _judged,
        _judged_in_set,
        _in_query_set,
        _labels,
        _own_documents,
    ):
        cached.clear()


def entry(name: str) -> CorpusEntry:
    """The list line of a corpus. Raises InvalidInput when it is not (or no longer) there."""
    match = next((e for e in corpora() if name in (e.name, e.slug)), None)
    if match is None:
        raise InvalidInput(
            f"There is no corpus {name!r} here.", hint="Choose another one at the side."
        )
    return match


def corpus(
    name: str, exclude_identical: bool | None = None, queries: QueryChoice | None = None
) -> Corpus:
    """An opened corpus; opened once for everybody. Raises LabError when it cannot be read.

    Args:
        name: As the list of corpora has it.
        exclude_identical: Whether queries leave out the document with their own id; None decides
            by the texts.
        queries: Which queries it has; None for its own.
    """
    listed = entry(name)
    if queries is not None:
        changed = _query_set_version(listed.name, queries)
        return _in_query_set(listed.name, listed.content_hash, exclude_identical, queries, changed)
    if listed.kind == "live":
        attempt = _attempt(listed.name, listed.content_hash)
        if isinstance(attempt, LabError):
            raise attempt
    if exclude_identical is None:
        return _opened(listed.name, listed.content_hash)
    return _excluding(listed.name, listed.content_hash, exclude_identical)


def judged_corpus(
    name: str,
    exclude_identical: bool | None = None,
    source: JudgmentSource | None = None,
    queries: QueryChoice | None = None,
) -> Corpus:
    """An opened corpus with the judgments that count; made once for everybody until one is added.

    Args:
        name: As the list of corpora has it.
        exclude_identical: As for `corpus`.
        source: Which judgments count; None for the default of `with_judgments`.
        queries: Which queries it has; None for its own and those of the lab that were judged.

    Raises:
        LabError: The corpus or the lab database cannot be read.
    """
    listed = entry(name)
    version = _label_version(listed.name)
    if queries is None:
        return _judged(listed.name, listed.content_hash, exclude_identical, source, version)
    return _judged_in_set(
        listed.name,
        listed.content_hash,
        exclude_identical,
        source,
        version,
        queries,
        _query_set_version(listed.name, queries),
    )


def labels(name: str) -> LabLabels:
    """The labels that the lab holds for a corpus. Raises LabError when they cannot be read."""
    listed = entry(name)
    return _labels(listed.name, listed.content_hash, _label_version(listed.name))


def own_documents(name: str) -> OwnDocuments:
    """The queries of a corpus that have the id of a document."""
    listed = entry(name)
    return _own_documents(listed.name, listed.content_hash)


@st.cache_resource(max_entries=4, show_spinner="Opening the corpus")
def _opened(name: str, content_hash: str) -> Corpus:
    return load_corpus(name)


@st.cache_resource(max_entries=4, ttl=15, show_spinner="Asking the search engine")
def _attempt(name: str, content_hash: str) -> Corpus | LabError:
    """A live corpus, or why its engine cannot be asked.

    A page opens its corpus in several places; an engine that is down is waited for in one of them.
    """
    try:
        return _opened(name, content_hash)
    except LabError as error:
        return error


@st.cache_resource(max_entries=4, show_spinner=False)
def _excluding(name: str, content_hash: str, identical: bool) -> Corpus:
    return with_exclusions(_opened(name, content_hash), identical)


@st.cache_resource(max_entries=8, show_spinner=False)
def _judged(
    name: str,
    content_hash: str,
    identical: bool | None,
    source: JudgmentSource | None,
    version: str,
) -> Corpus:
    return with_judgments(corpus(name, identical), source, engine().home)


@st.cache_resource(max_entries=4, show_spinner=False)
def _judged_in_set(
    name: str,
    content_hash: str,
    identical: bool | None,
    source: JudgmentSource | None,
    version: str,
    queries: QueryChoice,
    changed: str,
) -> Corpus:
    return _asked(_judged(name, content_hash, identical, source, version), queries)


@st.cache_resource(max_entries=4, show_spinner=False)
def _in_query_set(
    name: str, content_hash: str, identical: bool | None, queries: QueryChoice, changed: str
) -> Corpus:
    return _asked(corpus(name, identical), queries)


def _asked(opened: Corpus, queries: QueryChoice) -> Corpus:
    from rerank_lab.judging.store import JudgmentStore  # SQLAlchemy takes its time
    from rerank_lab.services.query_sets import with_query_set

    store = JudgmentStore.open(engine().home)
    return with_query_set(opened, queries.query_set, store, queries.tag)


def query_sets(name: str) -> list[LabQuerySet]:
    """The query sets of a corpus, by name; none while the lab holds nothing."""
    store = lab_store(engine().home)
    return store.query_sets(name) if store is not None else []


def _query_set_version(name: str, queries: QueryChoice) -> str:
    """Changes whenever the set does; "" where there is no such set."""
    sets = (one for one in query_sets(name) if one.name == queries.query_set)
    return next((one.created_at.isoformat() for one in sets), "")


@st.cache_resource(max_entries=4, show_spinner=False)
def _labels(name: str, content_hash: str, version: str) -> LabLabels:
    return lab_labels(corpus(name), engine().home)


def _label_version(name: str) -> str:
    """Changes with every label of a corpus and comparison of a judge; "" while there is none."""
    store = lab_store(engine().home)
    return f"{store.version(name)} {store.compared_at(name)}" if store is not None else ""


@st.cache_resource(max_entries=16, show_spinner=False)
def _own_documents(name: str, content_hash: str) -> OwnDocuments:
    return OwnDocuments.of(_opened(name, content_hash))


def comparison(entry: Entry) -> Comparison:
    """A saved comparison, read once for everybody. Raises InvalidInput when it cannot be read."""
    return _comparison(entry.id, entry.changed)


@st.cache_resource(max_entries=8, show_spinner="Opening the comparison")
def _comparison(comparison_id: str, changed: int) -> Comparison:
    return load(comparison_id)


def evaluation(experiment_id: str) -> Evaluation:
    """The results kept of an experiment, read once for everybody until a cell is added.

    Raises InvalidInput for an unknown id.
    """
    return _evaluation(experiment_id, ExperimentRecord(experiment_id, engine().home).state())


@st.cache_resource(max_entries=4, show_spinner="Reading the results")
def _evaluation(experiment_id: str, state: RecordState) -> Evaluation:
    return load_experiment(experiment_id, engine().home)


def lab_error(error: LabError | OSError) -> LabError:
    """For people: what went wrong while something was kept in the data folder."""
    if isinstance(error, LabError):
        return error
    return InvalidInput(
        f"The data folder cannot be written ({type(error).__name__}).",
        hint="Make room there, or choose another folder; see the foot of the side bar.",
    )


def waiter() -> str:
    """Who waits for jobs: one id per browser session, never shown and never in the URL."""
    if "waiter" not in st.session_state:
        st.session_state["waiter"] = uuid.uuid4().hex
    return str(st.session_state["waiter"])


def prepare(opened: Corpus) -> Job[None] | None:
    """Get the BM25 index of a corpus ready in the background, before the first query asks.

    None for a live corpus, whose documents stay in a search engine.
    """
    return None if opened.live else indexes.prepare(opened, Session(engine(), jobs()))


def is_live(name: str | None) -> bool:
    """Whether the corpus of that name is one of a search engine."""
    return any(e.kind == "live" for e in corpora() if name in (e.name, e.slug))


def rarity(opened: Corpus) -> Rarity | None:
    """How rare words are in a corpus, by the index that `prepare` makes; None until it is there."""
    job = prepare(opened)
    if job is None or job.state is not JobState.DONE:
        return None
    return indexes.word_rarity(opened, engine())

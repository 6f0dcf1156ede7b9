"""Search engines as a use case: try one out on a query, and keep it as a live corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import LiveCorpus, connect_live
from rerank_lab.corpora.live_opening import engine_node, engine_of
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.engines.base import EngineHit, EngineQuery, EngineRetriever
from rerank_lab.services.access import Action, needs, require
from rerank_lab.services.session import Session

PREVIEW_HITS = 5


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """Keep a search engine as a live corpus; no document is copied.

    `engine` is its spec, such as `postgres(table="articles")`. `replace` takes the place of a
    corpus of that name.
    """

    name: str
    engine: str
    queries: Path | None = None
    qrels: Path | None = None
    replace: bool = False


@needs(Action.IMPORT)
def connect(request: ConnectRequest, engine: Engine) -> LiveCorpus:
    """Ask the search engine once, read queries and judgments, and keep the corpus.

    Raises:
        LabError: The search engine cannot be asked, a file is unusable, or the name is taken.
    """
    if request.replace:  # whoever may not delete a corpus does not put another in its place
        require(Action.DELETE, "engines.connect", request.name)
    search_engine(request.engine, engine)
    return connect_live(
        request.name,
        request.engine,
        queries=request.queries,
        qrels=request.qrels,
        replace=request.replace,
    )


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """Ask a search engine one query for a few hits, to see whether its options are right."""

    engine: str
    query: str
    k: int = PREVIEW_HITS


@dataclass(frozen=True, slots=True)
class EnginePreview:
    """What was asked, in the engine's own language, and the hits in its order."""

    request: str
    hits: tuple[EngineHit, ...]
    warnings: tuple[str, ...] = ()


def preview(request: PreviewRequest, engine: Engine, ctx: Context | None = None) -> EnginePreview:
    """Ask here and now; nothing is kept.

    Raises:
        LabError: The options do not fit, or the engine's explanation of what is wrong.
    """
    if not request.query.strip():
        raise InvalidInput("The query is empty.", hint="Give the words to search for.")
    asked = search_engine(request.engine, engine)
    text = asked.request_text(EngineQuery(request.query, request.k))
    try:
        response = asked.preview(request.query, request.k, ctx or Context())
    finally:
        asked.close()
    return EnginePreview(text, response.hits, response.warnings)


def template_of(spec: str, engine: Engine) -> str:
    """The request of a search engine with its placeholders, where a template of one's own begins.

    Raises:
        LabError: The options do not fit.
    """
    return search_engine(spec, engine).template_text()


def search_engine(spec: str, engine: Engine) -> EngineRetriever:
    """The first stage of a spec that is one search engine's.

    Raises:
        InvalidInput: It is none, or names what a visitor of the app may not name.
    """
    retriever = engine_of(spec)
    node = engine_node(spec)
    if node is not None:
        engine.check_places(*expand(node, "retriever"))
    if not isinstance(retriever, EngineRetriever):
        raise InvalidInput(
            f"{spec[:200]!r} cannot be tried out: it is no search engine of this lab.",
            hint="Use it in a pipeline.",
        )
    return retriever


@dataclass(frozen=True, slots=True)
class PreviewKey(JobKey[EnginePreview]):
    """Trying a search engine on a query; `attempt` tells one try from the next."""

    request: PreviewRequest
    attempt: int


@dataclass(frozen=True, slots=True)
class ConnectKey(JobKey[str]):
    """Keeping a search engine as a corpus of that name."""

    name: str
    engine: str
    attempt: int


@needs(Action.IMPORT)
def start_preview(request: PreviewRequest, attempt: int, session: Session) -> Job[EnginePreview]:
    """The job that tries a search engine out."""
    return session.jobs.submit(
        PreviewKey(request, attempt),
        lambda ctx: preview(request, session.engine, ctx),
        lane="light",
        name="Asking the search engine",
        waiter=session.waiter,
    )


@needs(Action.IMPORT)
def start_connecting(request: ConnectRequest, attempt: int, session: Session) -> Job[str]:
    """The job that keeps a live corpus; its result is the corpus' name."""
    return session.jobs.submit(
        ConnectKey(request.name, request.engine, attempt),
        lambda _: connect(request, session.engine).name,
        lane="light",
        name=f"Connecting {request.name}",
        waiter=session.waiter,
    )

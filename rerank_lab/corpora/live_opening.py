"""Opening live corpora: from the spec of an engine, with queries and judgments of files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rerank_lab.components.base import digest
from rerank_lab.components.registry import entry_points, expand, info, load, resolve
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.spec import Node, parse
from rerank_lab.core.types import Qrels
from rerank_lab.corpora.bundle import Bundle
from rerank_lab.corpora.judged import check_judgments
from rerank_lab.corpora.live import DocumentSource, LiveCorpus, LiveDocuments, documents_of

ENGINE_FAMILY = "engine"
"""The family of first stages that ask a search engine."""
SAMPLED = 100
"""Documents that are looked at for languages and lengths."""
_CHECKED = 5_000
"""Judged documents whose ids are looked up when a corpus is opened."""


class LiveSource(DocumentSource, Protocol):
    """A first stage that is a source of documents."""

    @property
    def place(self) -> str:
        """Where it searches."""
        ...

    def fingerprint(self) -> str:
        """What its results depend on."""
        ...


def engine_node(spec: str) -> Node | None:
    """The canonical node of a text that is the spec of one engine; None for any other text.

    Raises:
        InvalidInput: it names an engine, with options that it does not have.
    """
    name, bracket, _ = spec.strip().partition("(")
    if not bracket or name.strip() not in entry_points("retriever"):
        return None
    try:
        is_engine = info("retriever", name.strip()).family == ENGINE_FAMILY
    except LabError:
        return None
    if not is_engine:
        return None
    nodes = resolve(parse(spec)).nodes
    if len(nodes) > 1:
        raise InvalidInput(
            "A live corpus is the engine alone, without rerankers.",
            hint=f"Name it {nodes[0]}, and put rerankers into the pipeline: live >> ....",
        )
    depth = info("retriever", nodes[0].name).depth_option
    return Node(nodes[0].name, tuple(o for o in nodes[0].options if o[0] != depth))


def engine_of(spec: str) -> LiveSource:
    """The engine of a spec, not connected yet.

    Raises:
        InvalidInput: the text is no engine's spec.
    """
    node = engine_node(spec)
    if node is None:
        raise InvalidInput(
            f"{spec[:200]!r} is not the spec of a search engine.",
            hint='Write one such as postgres(dsn_env="RERANK_LAB_ENGINE_DSN",table="articles").',
        )
    described, options = expand(node, "retriever")
    engine: LiveSource = load("retriever", described.name)(**options)
    return engine


def open_live(
    name: str,
    spec: str,
    bundle: Bundle,
    meta: Mapping[str, Any],
    log: ProblemLog,
) -> LiveCorpus:
    """A live corpus with the queries and judgments of `bundle`.

    The engine counts, gives a sample, and is asked for the judged documents.

    Raises:
        LabError: the engine cannot be asked, or the judgments name none of its documents.
    """
    engine = engine_of(spec)
    identity = digest(["live", engine.fingerprint()])
    seen = documents_of(identity, engine.fetch)
    counted, sample = engine.count(), tuple(engine.sample(SAMPLED))
    seen.remember(sample)
    seen.forget_absent()
    qrels = _checked(bundle, seen, log) if bundle.qrels else {}
    return LiveCorpus(
        name,
        (),
        tuple(bundle.queries),
        qrels,
        dict(meta)
        | {
            "problems": log.problems,
            "readings": (),
            "judged_readings": tuple(bundle.judged_readings),
        },
        engine=str(engine_node(spec)),
        place=engine.place,
        identity=identity,
        seen=seen,
        counted=counted,
        sample=sample,
    )


def _checked(bundle: Bundle, seen: LiveDocuments, log: ProblemLog) -> Qrels:
    """The judgments of queries that are there; judged documents that the engine lacks are told."""
    named = dict.fromkeys(doc_id for judged in bundle.qrels.values() for doc_id in judged)
    looked_up = list(named)[:_CHECKED]
    seen.prefetch(looked_up)
    known = {*(doc_id for doc_id in looked_up if doc_id in seen), *list(named)[_CHECKED:]}
    query_ids = {query.id for query in bundle.queries} or set(bundle.qrels)
    return check_judgments(bundle.qrels, known, query_ids, log)

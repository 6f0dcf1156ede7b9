"""What the wrappers of every framework do alike; no framework is imported here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rerank_lab.core.context import CancelToken
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Document, Ranking, Status
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages

T = TypeVar("T")
StagesLike = str | Node | PipelineSpec | Pipeline | Stages
"""What a wrapper takes for its rerankers."""

_log = logging.getLogger("rerank_lab.integrations")


@dataclass(frozen=True, slots=True)
class Placed:
    """One candidate in its new order: its place in the list given, and its score if it has one."""

    place: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Reranking:
    """The candidates in their new order; `scale` names what the scores are."""

    order: tuple[Placed, ...]
    scale: str


def rerank(
    stages: str,
    query: str | None,
    documents: Sequence[Document],
    *,
    top: int | None = None,
    cache: bool = True,
    cancel: CancelToken | None = None,
) -> Reranking:
    """Rerank candidates known by their place in the list alone, so that equal ones stay apart.

    Raises the LabError of a stage that failed. What a stage wants to have noticed, such as an
    order that it kept because the model did not answer, goes to the log.
    """
    if not isinstance(query, str):
        raise InvalidInput(
            f"A reranker needs the query, and was given {query!r}.",
            hint="Hand it the text that the candidates were searched for.",
        )
    if not documents:
        return Reranking((), "order")
    engine = default_engine()
    ctx = replace(engine.context(), cancel=cancel or CancelToken())
    numbered = [replace(doc, id=str(place)) for place, doc in enumerate(documents)]
    ctx = ctx if cache else replace(ctx, cache=None)
    result = Stages(stages).rerank(query, numbered, ctx, engine)
    if result.error is not None:
        raise result.error
    for warning in result.trace.warnings:
        _log.warning("%s: %s", stages, warning)
    if result.status is Status.FALLBACK:
        _log.warning("%s: the model did not answer; the order of the stage before stays", stages)
    ranking = result.ranking or Ranking.from_order(result.query.id, ())
    hits = ranking.hits[:top]
    return Reranking(tuple(Placed(int(hit.doc_id), hit.score) for hit in hits), ranking.scale)


async def in_thread(work: Callable[[CancelToken], T]) -> T:
    """Run `work` in a thread; cancelling the caller stops it before its next batch."""
    cancel = CancelToken()
    try:
        return await asyncio.to_thread(work, cancel)
    except asyncio.CancelledError:
        cancel.cancel()
        raise


def document(text: str | None, meta: Mapping[str, Any], title_key: str, place: int) -> Document:
    """A candidate of a framework. `title_key` names the metadata to read as its title, if any."""
    if text is None:
        raise InvalidInput(
            f"Candidate {place + 1} holds no text.",
            hint="Only texts can be reranked: leave out images and other files before this step.",
        )
    title = meta.get(title_key) if title_key else None
    return Document(str(place), text, "" if title is None else str(title), dict(meta))


def checked_top(name: str, top: int | None) -> int | None:
    """How many documents to return; raises InvalidInput unless it is None or at least 1."""
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise InvalidInput(
            f"{name} is {top!r}.", hint=f"Give a whole number from 1, or None for all, as {name}."
        )
    return top

"""One small request to a provider: do key, address and model work, is the order sensible."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Document, Query, Status, Trace
from rerank_lab.rerankers.base import Reranker

_QUERY = Query("probe", "What is the capital of France?")
_DOCS = (
    Document("off", "Bananas ripen faster next to apples."),
    Document("on", "Paris is the capital of France."),
)


@dataclass(frozen=True, slots=True)
class ProviderProbe:
    """What came of it. `message` and `hint` are for people; `seconds` is the round trip."""

    works: bool
    sensible: bool
    seconds: float
    trace: Trace
    message: str
    hint: str = ""
    kind: str = ""


def probe(
    reranker: Reranker, ctx: Context, timeout_s: float = 20.0, title: str = ""
) -> ProviderProbe:
    """Rerank two sentences, uncached and unrecorded. Never raises a LabError; counts as spending.

    `title` is what is said to work: by itself the provider of a hosted reranker, else its name.
    """
    end = time.monotonic() + timeout_s
    deadline = min(end, ctx.deadline) if ctx.deadline is not None else end
    start = time.perf_counter()
    try:
        reranked = reranker.rerank(
            _QUERY, _DOCS, replace(ctx, cache=None, recording=None, deadline=deadline)
        )
    except LabError as error:
        seconds = time.perf_counter() - start
        return ProviderProbe(False, False, seconds, Trace(), error.message, error.hint, error.kind)
    seconds = reranked.trace.network_s
    title = title or getattr(getattr(reranker, "provider", None), "title", reranker.info.name)
    if reranked.status is Status.FALLBACK:
        return ProviderProbe(
            True,
            False,
            seconds,
            reranked.trace,
            f"{title} answers, but not with an order that can be read.",
            "Use a stronger model, or one that follows instructions.",
            "no_order",
        )
    if reranked.ranking.doc_ids[0] != "on":
        return ProviderProbe(
            True,
            False,
            seconds,
            reranked.trace,
            f"{title} answers, but ranks a sentence about bananas above the answer.",
            "The model may be no reranker, or be served without its template.",
            "odd_order",
        )
    served = reranked.trace.model_served or reranked.trace.model_asked
    return ProviderProbe(
        True, True, seconds, reranked.trace, f"{title} works{f': {served}' if served else ''}."
    )

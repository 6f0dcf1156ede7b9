"""What pipelines would ask of providers and what that would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.components.registry import expand, leaves, pipeline_leaves, resolve
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.base import DEPTH as CANDIDATES_OPTION

CANDIDATES = int(CANDIDATES_OPTION.default)
"""What a first stage hands over unless it says otherwise: what estimates count on."""
Estimates = tuple[CostEstimate, ...]
"""One for each stage that asks a provider."""


def calls_out(spec: PipelineSpec) -> bool:
    """Whether a stage sends texts to a provider or server, perhaps with a key."""
    expanded = (expand(node, kind) for node, kind in pipeline_leaves(spec))
    return any(component.lane_of(options) == "network" for component, options in expanded)


def stage_estimates(
    nodes: Sequence[Node], query: Query, docs: Sequence[Document], engine: Engine
) -> Estimates:
    """What these stages would take for one query with these candidates, nothing being cached.

    Raises:
        LabError: A stage could not run on them at all.
    """
    estimates = []
    within = [leaf for node in nodes for leaf in leaves(node, "reranker")]
    for node in (leaf for leaf, kind in within if kind == "reranker"):
        reranker = engine.reranker(node)
        if reranker.calls_out:
            # Of the node, not of the reranker: one serves every depth.
            top = int(expand(node, "reranker")[1]["top"])
            estimate = reranker.cost_estimate(query, docs[:top])
            estimates += [estimate] if estimate is not None else []
    return tuple(estimates)


def query_estimates(
    spec: PipelineSpec, query: Query, corpus: Corpus, depth: int, engine: Engine
) -> Estimates:
    """What one query would take, judged by evenly spaced documents of the corpus.

    () for a pipeline that asks nobody, and for one that cannot run on them: its own error says why
    when it does.
    """
    if not calls_out(spec) or not corpus.examples:
        return ()
    step = max(1, len(corpus.examples) // depth)
    try:
        return stage_estimates(spec.stages, query, corpus.examples[::step][:depth], engine)
    except LabError:
        return ()


def query_set_estimates(
    specs: Sequence[str | PipelineSpec],
    queries: Sequence[Query],
    corpus: Corpus,
    depth: int,
    engine: Engine,
) -> dict[str, Estimates]:
    """By spec, what these queries would take of the providers that it asks at most.

    Judged by the longest query. Specs that ask nobody, and those that cannot run, are left out.
    """
    if not queries:
        return {}
    longest = max(queries, key=lambda query: len(query.text))
    estimates = {}
    for spec in specs:
        try:
            canonical = resolve(spec)
        except LabError:
            continue
        for_one = query_estimates(canonical, longest, corpus, depth, engine)
        if for_one:
            estimates[str(spec)] = tuple(estimate.times(len(queries)) for estimate in for_one)
    return estimates

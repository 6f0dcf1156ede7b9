"""What a canonical node of a spec means to a pipeline: its fusion, its candidates, its depth."""

from __future__ import annotations

from dataclasses import replace

from rerank_lab.components.registry import expand, info, load, resolve
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Ranking
from rerank_lab.fusion.base import Fusion

STAGE_DEPTH = 1000
"""How deep a first stage looks when its scores take part in a later stage, unless it says."""


def fusion_of(node: Node) -> Fusion:
    """The fusion that a canonical node stands for, made with its sources."""
    component = info("fusion", node.name)
    fusion: Fusion = load("fusion", node.name)(node.sources, **component.complete(node.values))
    return fusion


def split_at_top(node: Node, ranking: Ranking) -> tuple[Ranking, tuple[str, ...]]:
    """The candidates that a stage reranks by its option `top`, and the ids of those below."""
    top = int(expand(node, "reranker")[1].get("top", len(ranking)))
    return ranking.top(top), ranking.doc_ids[top:]


def deepened(node: Node, depth: int) -> Node:
    """With `depth` candidates wherever a first stage or fusion does not say its own number."""
    component = info("fusion", node.name) if node.sources else expand(node, "retriever")[0]
    sources = tuple(deepened(source, depth) for source in node.sources)
    deeper = replace(node, sources=sources)
    option = component.depth_option
    if option in node.values or component.param(option) is None:
        return deeper
    return deeper.with_options(**{option: depth})


def at_depth(spec: PipelineSpec, depth: int) -> PipelineSpec:
    """With `depth` candidates wherever a first stage or fusion does not say its own number."""
    return resolve(PipelineSpec((deepened(spec.source, depth), *spec.stages)))


def reranking_all(node: Node, as_written: Node, documents: int) -> Node:
    """The first reranker of given documents with all of them in reach, unless it says `top`.

    Later stages keep their own `top`: they look at the head that the stage before hands them.
    """
    component = info("fusion", node.name) if node.sources else expand(node, "reranker")[0]
    option = component.depth_option
    if option in as_written.values or component.param(option) is None:
        return node
    return node.with_options(**{option: documents})


def candidate_limit(spec: str) -> int | None:
    """How many documents (or passages) the first stage of a pipeline hands over at most.

    None where that cannot be known, as for a spec that does not exist here.
    """
    try:
        return _limit(resolve(spec).source)
    except LabError:
        return None


def _limit(node: Node) -> int | None:
    component = info("fusion", node.name) if node.sources else expand(node, "retriever")[0]
    options = component.complete(node.values) if node.sources else expand(node, "retriever")[1]
    own = options.get(component.depth_option)
    limits = [own] if isinstance(own, int) else []
    of_sources = [_limit(source) for source in node.sources]
    if of_sources and None not in of_sources:
        limits.append(sum(limit for limit in of_sources if limit is not None))
    return min(limits, default=None)

"""How pipelines, times and scores are written on the screen, in tables and in exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from rerank_lab.components.base import Kind
from rerank_lab.components.registry import expand, resolve, source_kind
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec, format_literal
from rerank_lab.pipeline.pipeline import Pipeline

Spec = TypeVar("Spec", str, PipelineSpec)

_COLUMN_CHARS = 40


def short_labels(specs: Sequence[Spec]) -> dict[Spec, str]:
    """A name for each spec: its stages, with those options only in which the specs differ."""
    stages = _labelled_stages(specs)
    labels = {spec: " >> ".join(stages[spec]) for spec in specs}
    distinct = len(set(labels.values())) == len(labels)
    return labels if distinct else {spec: str(spec) for spec in specs}


def without_depth(specs: Sequence[str]) -> tuple[dict[str, str], int | None]:
    """Specs without the number of candidates that all of them share, and that number.

    So pipelines made for a depth are called as they were before. None, and the specs as they are,
    when they do not share one.
    """
    same = {spec: spec for spec in specs}
    try:
        parsed = {spec: resolve(spec) for spec in specs}
        depths = {_depth(one.source) for one in parsed.values()}
        depth = depths.pop() if len(depths) == 1 else None
        if depth is None:
            return same, None
        short = {
            spec: str(PipelineSpec((_plain(one.source, depth), *one.stages)))
            for spec, one in parsed.items()
        }
        fits = all(str(Pipeline(short[spec]).at_depth(depth)) == spec for spec in specs)
        return (short, depth) if fits else (same, None)
    except LabError:
        return same, None


def _depth(source: Node) -> int | None:
    """The `k` of a first stage, that of the first one in a fusion."""
    leaf = source
    while leaf.sources:
        leaf = leaf.sources[0]
    depth = expand(leaf, "retriever")[1].get("k")
    return depth if isinstance(depth, int) else None


def _plain(source: Node, depth: int) -> Node:
    name = "top" if source.sources else "k"
    options = tuple((key, value) for key, value in source.options if (key, value) != (name, depth))
    return Node(source.name, options, tuple(_plain(one, depth) for one in source.sources))


def last_stages(specs: Sequence[Spec]) -> dict[Spec, str]:
    """The name of each spec's last stage where no other shares it, else the whole short label."""
    labels = short_labels(specs)
    ends = {spec: stages[-1] for spec, stages in _labelled_stages(specs).items()}
    shared = list(ends.values())
    return {spec: end if shared.count(end) == 1 else labels[spec] for spec, end in ends.items()}


def numbered(specs: Sequence[str]) -> dict[str, str]:
    """The specs themselves, or [1], [2], ... when one is too long for a column of a table."""
    if all(len(spec) <= _COLUMN_CHARS for spec in specs):
        return {spec: spec for spec in specs}
    return {spec: f"[{number}]" for number, spec in enumerate(specs, 1)}


def _labelled_stages(specs: Sequence[Spec]) -> dict[Spec, list[str]]:
    """The names of each spec's stages; a spec that cannot be read is its own only stage.

    A stage shows an option when another stage of that name, in any of the specs, has another
    value for it: what two pipelines share need not be read, and what tells them apart must be.
    """
    stages: dict[Spec, list[tuple[Node, Kind]]] = {}
    for spec in specs:
        with suppress(LabError):
            first, *rest = resolve(spec).nodes
            stages[spec] = [(first, "retriever"), *((node, "reranker") for node in rest)]
    namesakes: dict[str, set[Node]] = {}
    for node, kind in (
        part for nodes in stages.values() for stage in nodes for part in _all(*stage)
    ):
        namesakes.setdefault(stage_label(node, kind), set()).add(node)
    return {
        spec: [_labelled(*stage, namesakes) for stage in stages[spec]]
        if spec in stages
        else [str(spec)]
        for spec in specs
    }


def _all(node: Node, kind: Kind) -> Iterator[tuple[Node, Kind]]:
    """A node and everything that is fused in it."""
    yield node, kind
    for source, of in _sources(node, kind):
        yield from _all(source, of)


def _sources(node: Node, kind: Kind) -> list[tuple[Node, Kind]]:
    return [
        (source, source_kind(source) if kind == "reranker" else kind) for source in node.sources
    ]


def _labelled(node: Node, kind: Kind, namesakes: Mapping[str, set[Node]]) -> str:
    """The label of a stage with the options in which its namesakes differ from it."""
    label = stage_label(node, kind)
    others = namesakes[label]
    name = node.name if len({other.name for other in others}) > 1 or node.sources else label
    inside = [_labelled(*source, namesakes) for source in _sources(node, kind)]
    inside += [
        f"{key}={format_literal(value)}"
        for key, value in node.options
        if any(other.values.get(key) != value for other in others)
    ]
    return f"{name}({','.join(inside)})" if inside else name


def stage_label(node: Node, kind: Kind) -> str:
    """A stage in a word: a reranker by its model, a first stage by its name, a fusion in full."""
    if node.sources:
        inside = ",".join(stage_label(*source) for source in _sources(node, kind))
        return f"{node.name}({inside})"
    if kind == "retriever":
        return node.name
    try:
        return str(expand(node, kind)[1].get("model") or node.name)
    except LabError:
        return node.name


def pipeline_colours(
    specs: Sequence[Spec], previous: Mapping[Spec, int], count: int
) -> dict[Spec, int]:
    """A colour number for each pipeline: the one it had, else the lowest that is free.

    So a pipeline keeps its colour on every page while others come and go.
    """
    colours = {spec: previous[spec] for spec in specs if previous.get(spec, count) < count}
    free = [slot for slot in range(count) if slot not in colours.values()]
    for spec in specs:
        if spec not in colours:
            colours[spec] = free.pop(0) if free else len(colours) % count
    return {spec: colours[spec] for spec in specs}


def seconds(value: float) -> str:
    """`0.4 ms`, `12 ms`, `0.94 s`, `12.3 s`."""
    if value < 0.001:
        return f"{value * 1000:.1f} ms"
    if value < 0.1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def score(value: float | None) -> str:
    """Four significant digits, or a dash for a document that has no score."""
    if value is None:
        return "–"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def fraction(value: float | None) -> str:
    """A measure between 0 and 1 with three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"

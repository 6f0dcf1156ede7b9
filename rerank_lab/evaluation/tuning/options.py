"""The options of a pipeline as names, and ranges of values for them.

An option is named by its component and its own name, such as `rrf.k` or `ms-marco-minilm-l6.top`.
Where a name stands twice in a pipeline, the second is `overlap:2.top`, counted from the left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from rerank_lab.components.base import Info, Kind, Param
from rerank_lab.components.registry import expand, resolve, source_kind
from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.spec import Literal, Node, PipelineSpec
from rerank_lab.rerankers.long_documents import LONG

RRF_K = (10, 20, 60, 100, 300)
TOPS = (10, 20, 30, 50, 100, 200)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_HINT = "Name component and option, such as rrf.k; values follow, such as 10 30 60."

Path = tuple[int, ...]
"""The place of a node: of the stage, then of the source in it, and so on."""


@dataclass(frozen=True, slots=True)
class OptionRange:
    """An option such as `rrf.k`, and the values to try."""

    option: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    path: Path
    node: Node
    info: Info


def read_range(spec: PipelineSpec, option: str, values: Sequence[str]) -> OptionRange:
    """The range that a user wrote, each value in the option's type and within its limits.

    Raises InvalidInput for an option that the pipeline does not have, and for wrong values.
    """
    _, param = _found(spec, option)
    if not values:
        raise InvalidInput(f"No value is given for {option}.", hint=_HINT)
    read: list[Literal] = []
    for text in values:
        value, problem = param.check(_literal(text, param))
        if value is None:
            raise InvalidInput(f"{option}: {problem}.", hint=_HINT)
        read.append(value)
    return OptionRange(option, tuple(dict.fromkeys(read)))


def with_settings(spec: PipelineSpec, settings: Mapping[str, Literal]) -> PipelineSpec:
    """The pipeline with these options set. Raises InvalidInput for what it does not have."""
    nodes = list(spec.nodes)
    for option, value in settings.items():
        place, param = _found(spec, option)
        first, rest = place.path[0], place.path[1:]
        nodes[first] = _changed(nodes[first], rest, param.name, value)
    return resolve(PipelineSpec(tuple(nodes)))


def offered_ranges(spec: PipelineSpec) -> tuple[OptionRange, ...]:
    """Ranges worth a try: fusion weights, RRF's k, cut-offs of rerankers, long documents."""
    ranges = []
    for name, place in _places(spec).items():
        if place.info.kind == "fusion" and place.info.param("weights") is not None:
            ranges.append(OptionRange(f"{name}.weights", _weights(len(place.node.sources))))
        if place.info.name == "rrf":
            ranges.append(OptionRange(f"{name}.k", RRF_K))
        if place.info.kind == "reranker":
            ranges.append(OptionRange(f"{name}.top", TOPS))
            long = place.info.param(LONG.name)
            if long is not None and long.choices:
                ranges.append(OptionRange(f"{name}.{LONG.name}", long.choices))
    return tuple(ranges)


def _weights(sources: int) -> tuple[str, ...]:
    """Weights to try: nine steps between two sources, else equal ones and each source favoured."""
    if sources == 2:
        return tuple(f"{share},{round(1 - share, 1)}" for share in _SHARES)
    equal = ",".join(["1"] * sources)
    favoured = (
        ",".join("3" if place == favourite else "1" for place in range(sources))
        for favourite in range(sources)
    )
    return (equal, *favoured)


def _found(spec: PipelineSpec, option: str) -> tuple[_Place, Param]:
    places = _places(spec)
    component, _, name = option.rpartition(".")
    place = places.get(component)
    known = [f"{one}.{param.name}" for one, at in places.items() for param in at.info.params]
    param = None if place is None else place.info.param(name)
    if place is None or param is None:
        raise InvalidInput(
            f"{str(spec)!r} has no option {option!r}{nearest(option, known)}.", hint=_HINT
        )
    return place, param


def _places(spec: PipelineSpec) -> dict[str, _Place]:
    """Its components by name, from the left; the second of a name is `name:2`."""
    named: dict[str, _Place] = {}
    counts: dict[str, int] = {}
    for place in _walk(spec):
        count = counts[place.node.name] = counts.get(place.node.name, 0) + 1
        named[place.node.name if count == 1 else f"{place.node.name}:{count}"] = place
    return named


def _walk(spec: PipelineSpec) -> Iterator[_Place]:
    for at, node in enumerate(spec.nodes):
        yield from _inside(node, "reranker" if at else "retriever", (at,))


def _inside(node: Node, kind: Kind, path: Path) -> Iterator[_Place]:
    yield _Place(path, node, expand(node, kind)[0])
    for at, source in enumerate(node.sources):
        inner = source_kind(source) if kind == "reranker" else kind
        yield from _inside(source, inner, (*path, at))


def _changed(node: Node, path: Path, name: str, value: Literal) -> Node:
    if not path:
        return node.with_options(**{name: value})
    sources = list(node.sources)
    sources[path[0]] = _changed(sources[path[0]], path[1:], name, value)
    return replace(node, sources=tuple(sources))


def _literal(text: str, param: Param) -> Literal:
    if param.type is bool and text in ("true", "false"):
        return text == "true"
    if param.type in (int, float):
        try:
            return cast(Literal, param.type(text))
        except ValueError:
            return text
    return text

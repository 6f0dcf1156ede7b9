"""Pipelines as forms: fields generated from each component's options, and edits that make specs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rerank_lab.components.base import Kind, Param
from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import expand, resolve, source_kind
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal, Node, PipelineSpec

Path = tuple[int, ...]
"""Where a component stands: (stage,) or, inside a fusion, (stage, source, ...)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One option of one component: what is declared, and its value now.

    `automatic` says what really happens when no number is chosen; "" when the default means itself.
    """

    path: Path
    param: Param
    value: Literal
    automatic: str = ""

    @property
    def label(self) -> str:
        """What the option is called on a screen, its unit included."""
        words = self.param.label or self.param.name.replace("_", " ").capitalize()
        return f"{words} ({self.param.unit})" if self.param.unit else words

    @property
    def chosen(self) -> bool:
        """Whether a value was chosen that is not the default."""
        return self.value != self.param.default


@dataclass(frozen=True, slots=True)
class Section:
    """One component of a pipeline, with the fields of its form."""

    path: Path
    node: Node
    kind: Kind
    title: str
    summary: str
    fields: tuple[Field, ...]


def sections(spec: PipelineSpec, depth: int | None = None) -> tuple[Section, ...]:
    """The form of a canonical pipeline, component by component.

    `depth` is what the page hands to first stages that do not say their own number.
    """
    parts = _sections(spec.source, "retriever", (0,), depth)
    for place, node in enumerate(spec.stages, 1):
        parts += _sections(node, "reranker", (place,), None)
    return tuple(parts)


def _sections(node: Node, kind: Kind, path: Path, depth: int | None) -> list[Section]:
    parts = [_section(node, kind, path, depth)]
    for place, source in enumerate(node.sources):
        inner = source_kind(source) if kind == "reranker" else kind
        parts += _sections(source, inner, (*path, place), depth)
    return parts


def _section(node: Node, kind: Kind, path: Path, depth: int | None) -> Section:
    info, options = expand(node, kind)
    fields = tuple(
        Field(path, param, options[param.name], _automatic(node, param, options, depth))
        for param in info.params
    )
    return Section(path, node, "fusion" if node.sources else kind, node.name, info.summary, fields)


def _automatic(node: Node, param: Param, options: Mapping[str, Literal], depth: int | None) -> str:
    """What stands in for a number that nobody chose: the page's depth, the model's own limit."""
    if depth is not None and param.name == ("top" if node.sources else "k"):
        return f"{depth} (page's depth)"
    model = catalogue().get(str(options.get("model", "")))
    if param.name == "max_length" and param.automatic and model is not None:
        return f"{param.automatic} ({model.max_length:,})"
    return param.automatic


def with_option(spec: PipelineSpec, path: Path, name: str, value: Literal | None) -> PipelineSpec:
    """The pipeline with one option changed, canonical again; None puts back the default.

    Choosing another model for a catalogue name renames the component. Raises InvalidInput for a
    bad value.
    """
    node = _at(spec, path)
    kind: Kind = "retriever" if path[0] == 0 else source_kind(node)
    info, options = expand(node, kind)
    changed = {key: setting for key, setting in options.items() if key != name}
    if value is not None:
        changed[name] = value
    component = Node(info.name, tuple(changed.items()), node.sources)
    return resolve(_replaced(spec, path, component))


def without_stage(spec: PipelineSpec, stage: int) -> PipelineSpec:
    """The pipeline without its `stage`-th reranker (1 is the first)."""
    return PipelineSpec(spec.nodes[:stage] + spec.nodes[stage + 1 :])


def with_stage(spec: PipelineSpec, name: str) -> PipelineSpec:
    """The pipeline with one more reranker at its end."""
    return resolve(PipelineSpec((*spec.nodes, Node(name))))


def with_first_stage(spec: PipelineSpec, name: str) -> PipelineSpec:
    """The pipeline with another first stage; its rerankers and the number of candidates stay."""
    depth = tuple(option for option in spec.source.options if option[0] == "k")
    return resolve(PipelineSpec((Node(name, depth), *spec.stages)))


def fused_with(spec: PipelineSpec, name: str) -> PipelineSpec:
    """The pipeline whose last reranker is fused with one more, by reciprocal rank."""
    last = spec.nodes[-1]
    sources = (*last.sources, Node(name)) if last.sources else (last, Node(name))
    fusion = replace(last, sources=sources) if last.sources else Node("rrf", (), sources)
    return resolve(PipelineSpec((*spec.nodes[:-1], fusion)))


def parsed(text: str) -> tuple[PipelineSpec | None, LabError | None]:
    """The canonical pipeline of a text typed by hand, or what is wrong with it."""
    try:
        return resolve(text), None
    except LabError as error:
        return None, error


def _at(spec: PipelineSpec, path: Path) -> Node:
    node = spec.nodes[path[0]]
    for place in path[1:]:
        node = node.sources[place]
    return node


def _replaced(spec: PipelineSpec, path: Path, component: Node) -> PipelineSpec:
    nodes = list(spec.nodes)
    nodes[path[0]] = _replaced_in(nodes[path[0]], path[1:], component)
    return PipelineSpec(tuple(nodes))


def _replaced_in(node: Node, path: Path, component: Node) -> Node:
    if not path:
        return component
    sources = list(node.sources)
    sources[path[0]] = _replaced_in(sources[path[0]], path[1:], component)
    return replace(node, sources=tuple(sources))

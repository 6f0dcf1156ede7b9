"""Which components exist: found by entry point, described by `Info`, loaded when first used.

Built-in components and third-party ones register the same way, through the entry point groups
`rerank_lab.retrievers`, `rerank_lab.fusions` and `rerank_lab.rerankers`. Forms, command-line help,
validation and docs are generated from each component's `Info`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from rerank_lab.components.aliases import ALIASES, current_name
from rerank_lab.components.base import Info, Kind
from rerank_lab.components.catalogue import CatalogueModel, catalogue
from rerank_lab.components.plugins import InstalledEntry, plugins
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, nearest
from rerank_lab.core.spec import Literal as Value
from rerank_lab.core.spec import Node, PipelineSpec, parse
from rerank_lab.core.text import problems_line


@dataclass(frozen=True, slots=True)
class Broken:
    """A registered component that cannot be loaded: shown as a red row, never a crash."""

    name: str
    kind: Kind
    error: str
    details: str


@dataclass(frozen=True, slots=True)
class ComponentSet:
    """Components that are made from data: their names, and the class of each.

    One is found by the entry point group `rerank_lab.reranker_sets`, so that a further component
    of a set is an entry in its data and needs neither a class nor an entry point.
    """

    names: Callable[[], tuple[str, ...]]
    load: Callable[[str], type]


@dataclass(frozen=True, slots=True)
class _SetMember:
    """A component of a set, with the face of an entry point."""

    name: str
    value: str
    members: ComponentSet

    def load(self) -> type:
        return self.members.load(self.name)


@cache
def entry_points(kind: Kind) -> dict[str, InstalledEntry | _SetMember]:
    """Registered names of a kind, in alphabetical order; the project's own win over a plugin's."""
    group: list[InstalledEntry | _SetMember] = [*plugins(f"rerank_lab.{kind}s")]
    for entry in plugins(f"rerank_lab.{kind}_sets"):
        try:
            members: ComponentSet = entry.load()
            group += [_SetMember(name, entry.value, members) for name in members.names()]
        except (Exception, SystemExit):
            group.append(entry)  # shown as broken under the name of the set
    ours_last = sorted(group, key=lambda e: (e.value.startswith("rerank_lab."), e.name))
    return dict(sorted({e.name: e for e in ours_last}.items()))


@cache
def load(kind: Kind, name: str) -> Any:
    """The class of a component. Raises BackendError when its module does not import."""
    try:
        return entry_points(kind)[name].load()
    except (Exception, SystemExit) as error:
        raise BackendError(
            f"The {kind} {name!r} cannot be loaded: {type(error).__name__}: {error}",
            hint="Update or remove the package that provides it.",
            details=traceback.format_exc(),
        ) from error


def info(kind: Kind, name: str) -> Info:
    """What a component says of itself.

    Raises:
        BackendError: it does not import, or its class has no `info` that fits its entry point.
    """
    described = getattr(load(kind, name), "info", None)
    if not isinstance(described, Info):
        problem = "its class has no `info` of type Info"
    elif (described.kind, described.name) != (kind, name):
        problem = f"its `info` describes the {described.kind} {described.name!r}"
    else:
        return described
    raise BackendError(
        f"The {kind} {name!r} cannot be used: {problem}.",
        hint="Update or remove the package that provides it.",
    )


def infos(kind: Kind) -> tuple[Info | Broken, ...]:
    """Every registered component of a kind, broken ones included."""
    rows: list[Info | Broken] = []
    for name in entry_points(kind):
        try:
            rows.append(info(kind, name))
        except BackendError as error:
            rows.append(Broken(name, kind, error.message, error.details))
    return tuple(rows)


def resolve(spec: str | Node | PipelineSpec) -> PipelineSpec:
    """The canonical spec: names and options checked, defaults dropped, catalogue names in use.

    Raises InvalidInput that lists every unknown name and option, with the nearest valid ones.
    """
    if isinstance(spec, str):
        spec = parse(spec)
    if isinstance(spec, Node):
        spec = PipelineSpec((spec,))
    problems: list[str] = []
    source = _with_current_names(spec.source, "retriever")
    stages = [_with_current_names(node, "reranker") for node in spec.stages]
    nodes = [_canonical(source, "retriever", problems)]
    nodes += [_canonical(node, "reranker", problems) for node in stages]
    if problems:
        raise InvalidInput(
            f"The pipeline {str(spec)!r} has {_count(len(problems))}: {problems_line(problems)}",
            hint="Correct these; `rerank-lab models` lists the names that exist.",
            problems=problems,
        )
    return PipelineSpec(tuple(nodes))


def resolve_stages(spec: str | Node | PipelineSpec) -> PipelineSpec:
    """The canonical rerankers of a text without a first stage, for candidates that are given.

    Raises InvalidInput for a first stage, alone or in a fusion: that needs the whole corpus.
    """
    if isinstance(spec, str):
        spec = parse(spec)
    if isinstance(spec, Node):
        spec = PipelineSpec((spec,))
    hint = "Correct these; `rerank-lab models` lists the names that exist."
    problems: list[str] = []
    nodes: list[Node] = []
    for node in (_with_current_names(stage, "reranker") for stage in spec.nodes):
        wrong: list[str] = []
        nodes.append(_canonical(node, "reranker", wrong))
        first = _first_stages(node) if wrong else _first_stages(nodes[-1], inside=True)
        if first:
            what = "is a first stage, not a reranker" if len(first) == 1 else "are first stages"
            wrong = [f"{' and '.join(first)} {what}"]
            rest = [str(other) for other in spec.nodes if other != node] or ["ms-marco-minilm-l12"]
            hint = (
                f"The candidates are given here. Write rerankers alone: {' >> '.join(rest)} - or "
                "pass a Pipeline, whose own first stage is left out."
            )
        problems += wrong
    if problems:
        raise InvalidInput(
            f"The stages {str(spec)!r} have {_count(len(problems))}: {problems_line(problems)}",
            hint=hint,
            problems=problems,
        )
    return PipelineSpec(tuple(nodes))


def _first_stages(node: Node, inside: bool = False) -> list[str]:
    """The first stages that a stage is, or with `inside` has in its fusions."""
    if inside:
        return [str(leaf) for leaf, kind in leaves(node, "reranker") if kind == "retriever"]
    wrong: list[str] = []
    _canonical(node, "retriever", wrong)
    return [] if wrong else [str(node)]


def expand(node: Node, kind: Kind) -> tuple[Info, dict[str, Value]]:
    """The component and full options that a canonical node stands for."""
    name, options = _component_of(node, kind)
    if node.sources:
        kind = "fusion"
    component_info = info(kind, name)
    return component_info, component_info.complete(options)


def source_kind(node: Node) -> Kind:
    """What a source inside a stage's fusion is: a reranker, unless only a first stage has its name.

    A first stage's scores of the same candidates then take part. A fusion of such is one itself,
    unless it needs candidates to work on.
    """
    if node.sources:
        if node.name in entry_points("fusion") and info("fusion", node.name).stage_only:
            return "reranker"
        kinds = {source_kind(source) for source in node.sources}
        return "reranker" if "reranker" in kinds else "retriever"
    only_first = node.name in _known("retriever") - _known("reranker")
    return "retriever" if only_first else "reranker"


def leaves(node: Node, kind: Kind) -> list[tuple[Node, Kind]]:
    """The components that do the work of a canonical node, fusions opened, each with its kind."""
    if not node.sources:
        return [(node, kind)]
    inner = [(s, source_kind(s) if kind == "reranker" else kind) for s in node.sources]
    return [leaf for source, of in inner for leaf in leaves(source, of)]


def pipeline_leaves(spec: PipelineSpec) -> list[tuple[Node, Kind]]:
    """The components of a canonical pipeline in order, fusions opened, each with its kind."""
    first = leaves(spec.source, "retriever")
    return first + [leaf for node in spec.stages for leaf in leaves(node, "reranker")]


def fusions(node: Node) -> list[Node]:
    """The fusions of a canonical node, itself among them, outermost first."""
    inner = [fusion for source in node.sources for fusion in fusions(source)]
    return [node, *inner] if node.sources else []


def current_spec(text: str) -> str:
    """A canonical spec that was saved, with the names that its components have now.

    A text that is no spec, or names nothing by an old name, stays as it is.
    """
    if not any(old in text for old in ALIASES):
        return text
    try:
        spec = parse(text)
    except LabError:
        return text
    stages = (_with_current_names(node, "reranker") for node in spec.stages)
    return str(PipelineSpec((_with_current_names(spec.source, "retriever"), *stages)))


def _with_current_names(node: Node, kind: Kind) -> Node:
    """A node and its sources without old names; a component that really has one keeps it."""
    sources = tuple(_with_current_names(source, source_kind(source)) for source in node.sources)
    known = entry_points("fusion") if node.sources else _known(kind)
    name = node.name if node.name in known else current_name(node.name)
    return replace(node, name=name, sources=sources)


def _known(kind: Kind) -> set[str]:
    return set(entry_points(kind)) | {n for n, m in catalogue().items() if m.component(kind)}


def _component_of(node: Node, kind: Kind) -> tuple[str, dict[str, Value]]:
    model = _model(node.name, kind)
    if model is None or node.name in entry_points(kind):
        return node.name, node.values
    return model.component(kind), {"model": node.name, **node.values}


def _model(name: str, kind: Kind) -> CatalogueModel | None:
    model = catalogue().get(name)
    return model if model is not None and model.component(kind) else None


def _canonical(node: Node, kind: Kind, problems: list[str]) -> Node:
    if node.sources or node.name in entry_points("fusion"):
        return _canonical_fusion(node, kind, problems)
    known = _known(kind)
    if node.name not in known:
        place = "first stage" if kind == "retriever" else "reranker"
        problems.append(f"there is no {place} {node.name!r}{nearest(node.name, known)}")
        return node
    name, options = _component_of(node, kind)
    try:
        component_info = info(kind, name)
    except BackendError as error:
        problems.append(error.message)
        return node
    wrong = component_info.problems(options)
    problems += [f"{node.name}: {problem}" for problem in wrong]
    if wrong:
        return node
    full = component_info.complete(options)
    model = full.get("model")
    if isinstance(model, str) and (entry := _model(model, kind)) and entry.component(kind) == name:
        # A reranker is known by its model; of first stages the default one is simply "dense".
        default = component_info.param("model")
        by_name = kind == "reranker" or default is None or default.default != model
        name = model if by_name else name
        full.pop("model")
    changed = {k: v for k, v in full.items() if (p := component_info.param(k)) and v != p.default}
    return Node(name, tuple(changed.items()))


def _canonical_fusion(node: Node, kind: Kind, problems: list[str]) -> Node:
    known = entry_points("fusion")
    if node.name not in known:
        problems.append(f"there is no fusion {node.name!r}{nearest(node.name, known)}")
        return node
    sources = tuple(
        _canonical(source, source_kind(source) if kind == "reranker" else kind, problems)
        for source in node.sources
    )
    component_info = info("fusion", node.name)
    if len(sources) < component_info.min_sources:
        least = "a source" if component_info.min_sources == 1 else "at least two sources"
        such = "bm25,dense" if kind == "retriever" else "cross-encoder,late-interaction"
        problems.append(f"{node.name} needs {least}, such as {node.name}({such})")
    if component_info.stage_only and kind == "retriever":
        problems.append(
            f"{node.name} reranks and cannot be a first stage; put one before it, "
            f"such as bm25 >> {node.name}({','.join(map(str, node.sources)) or 'bm25,dense'})"
        )
    wrong = component_info.problems(node.values)
    problems += [f"{node.name}: {problem}" for problem in wrong]
    if wrong:
        return node
    full = component_info.complete(node.values)
    changed = {k: v for k, v in full.items() if (p := component_info.param(k)) and v != p.default}
    return Node(node.name, tuple(changed.items()), sources)


def _count(n: int) -> str:
    return "a problem" if n == 1 else f"{n} problems"

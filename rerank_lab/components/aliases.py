"""Old names of components. What was saved under one still opens, and is still the same thing.

A component is known by its newest name, in every spec that is written. Identities, such as
fingerprints and the ids of experiments, are made from its first name, so that a new name takes
nothing that was kept away from its component.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rerank_lab.core.spec import Node, PipelineSpec

ALIASES: Mapping[str, str] = {"both-ends": "long-context-reorder"}
"""Old name -> the name now. Of several old names the first one in this table came first."""


def current_name(name: str) -> str:
    """The name of a component now; one that is no old name stays as it is."""
    return ALIASES.get(name, name)


def first_name(name: str) -> str:
    """The name that a component had first: the one that identities are made from."""
    return next((old for old, new in ALIASES.items() if new == name), name)


def first_spec(spec: PipelineSpec) -> str:
    """The text of a canonical spec with the first names of its components, for identities."""
    return str(PipelineSpec(tuple(_with_first_names(node) for node in spec.nodes)))


def _with_first_names(node: Node) -> Node:
    sources = tuple(_with_first_names(source) for source in node.sources)
    return replace(node, name=first_name(node.name), sources=sources)
